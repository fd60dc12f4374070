// run/plan_reader.h: the tables of the plan language: what a plan's file may hold, for parser, reference and
// schema.
//
// Threads: the tables are constant once made.
#pragma once

#include "config/settings.h"
#include "run/plan.h"

namespace daruma::run {

const settings::Type<Plan>& plan_table();

}  // namespace daruma::run
