// base/closest.h: the nearest known word to a mistyped one, for "did you mean".
//
// Threads: plain functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace daruma {

// The candidate that `word` most probably meant: at most a third of its letters wrong, missing, extra or
// swapped with their neighbour, or the start of exactly one candidate. nullopt: none is that near. The first
// of equals wins.
std::optional<std::string> closest(std::string_view word, const std::vector<std::string>& candidates);

// "; did you mean 'slot'?" when one candidate is near, else "; allowed: a, b, c".
std::string suggestion(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace daruma
