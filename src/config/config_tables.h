// cli/config_tables.h: the one table of settings of daruma.yaml, from which the parser, the schema and the
// reference are made.
//
// Threads: constant.
#pragma once

#include "config/config.h"
#include "config/settings.h"

namespace daruma {

const settings::Type<Config>& config_table();

}  // namespace daruma
