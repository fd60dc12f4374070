#include "os/exec_words.h"

#include <unistd.h>

#include <algorithm>
#include <string_view>

namespace daruma {

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& added) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : added) lines.push_back(name + "=" + value);
  for (char** line = environ; *line; ++line) {
    const std::string_view text = *line;
    const std::string_view name = text.substr(0, text.find('='));
    if (std::ranges::none_of(added, [&](const auto& pair) { return pair.first == name; }))
      lines.emplace_back(text);
  }
  return lines;
}

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace daruma
