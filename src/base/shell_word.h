// base/shell_word.h: words of the lines that a person types.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace daruma {

// As it is where a shell reads it so, else in single quotes.
std::string shell_word(std::string_view word);
std::string shell_line(const std::vector<std::string>& argv);

}  // namespace daruma
