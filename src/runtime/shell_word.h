// runtime/shell_word.h: words of the lines that a person types.
//
// Threads: plain functions.
#pragma once

#include <string>
#include <string_view>

namespace daruma::runtime {

// In single quotes where a shell would read it otherwise.
std::string shell_word(std::string_view word);

}  // namespace daruma::runtime
