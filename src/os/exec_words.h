// os/exec_words.h: a child's arguments and environment, as exec takes them. For process.cc and offspring.cc.
//
// Threads: plain functions; nobody may change our own environment meanwhile.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace daruma {

// "NAME=VALUE" of `added`, then of our environment what `added` does not name.
std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& added);

// A null pointer at the end; they point into `strings`.
std::vector<char*> pointers_to(std::vector<std::string>& strings);

}  // namespace daruma
