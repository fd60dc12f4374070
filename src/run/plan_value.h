// run/plan_value.h: the hash of a frozen plan: what approvals and proofs are bound to.
//
// Threads: plain functions.
#pragma once

#include <string>

#include "run/plan.h"

namespace daruma::run {

// SHA-256 over to_json(to_value(plan)), in hexadecimal. Lines, comments and the order of keys in the file do
// not change it.
std::string hash_of(const FrozenPlan& plan);

}  // namespace daruma::run
