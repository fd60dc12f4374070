#include "storage/object_store.h"

#include <fmt/format.h>

namespace daruma {
namespace {

constexpr size_t kNameBytesMax = 200;

bool allowed(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-';
}

// Why `part` cannot stand between two '/'; null when it can.
const char* fault_of_part(std::string_view part) {
  if (part.empty()) return "an empty part";
  if (part.front() == '.') return "a part that starts with '.'";
  for (const char c : part)
    if (!allowed(c)) return "a character other than A-Z a-z 0-9 . _ - /";
  return nullptr;
}

const char* fault_of_name(std::string_view name) {
  if (name.empty()) return "no character";
  if (name.size() > kNameBytesMax) return "more than 200 bytes";
  for (;;) {
    const size_t slash = name.find('/');
    if (const char* fault = fault_of_part(name.substr(0, slash))) return fault;
    if (slash == std::string_view::npos) return nullptr;
    name.remove_prefix(slash + 1);
  }
}

}  // namespace

Status check_object_name(const std::string& name) {
  const char* fault = fault_of_name(name);
  if (!fault) return {};
  return Error{Errc::kInvalid, fmt::format("object name '{}' has {}", name, fault)};
}

Status check_object_prefix(const std::string& prefix) {
  // What is left after a '/' or in an empty prefix may still become any part.
  if (prefix.empty()) return {};
  const char* fault = fault_of_name(prefix.back() == '/' ? prefix + "x" : prefix);
  if (!fault) return {};
  return Error{Errc::kInvalid, fmt::format("object name prefix '{}' has {}", prefix, fault)};
}

}  // namespace daruma
