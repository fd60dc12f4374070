#include "run/redactor.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/base64.h"

namespace daruma::run {
namespace {

constexpr size_t kShortest = 4;
constexpr std::string_view kInstead = "[secret]";

// What is the same in the base64 of every text that has these bytes in it, `before` (0 to 2) of them behind
// a multiple of three, as "user:" puts a password: the outermost characters depend on what stands around.
std::string base64_inside(std::string_view bytes, size_t before) {
  std::string out = to_base64(std::string(before, ' ').append(bytes));
  while (out.ends_with('=')) out.pop_back();
  if ((before + bytes.size()) % 3 != 0) out.pop_back();
  return out.substr(before == 0 ? 0 : before + 1);
}

std::string percent_encoded(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace

Redactor::Redactor(const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets) {
    if (secret.size() < kShortest) continue;
    for (std::string form : {secret, base64_inside(secret, 0), base64_inside(secret, 1),
                             base64_inside(secret, 2), percent_encoded(secret)})
      if (std::ranges::find(forms_, form) == forms_.end()) forms_.push_back(std::move(form));
  }
  std::ranges::sort(forms_, std::ranges::greater(), &std::string::size);
}

// Everything of `text` but its last `keep` bytes, with the secrets replaced; a secret that reaches into
// them is taken whole.
std::string Redactor::take_out(std::string_view text, size_t keep, size_t& used) const {
  std::string out;
  size_t at = 0;
  const size_t end = text.size() > keep ? text.size() - keep : 0;
  while (at < end) {
    const auto found = std::ranges::find_if(
        forms_, [&](const std::string& form) { return text.substr(at).starts_with(form); });
    if (found != forms_.end()) {
      out += kInstead;
      at += found->size();
    } else {
      out += text[at++];
    }
  }
  used = std::min(at, text.size());
  return out;
}

std::string Redactor::feed(std::string_view bytes) {
  held_ += bytes;
  size_t used = 0;
  std::string out = take_out(held_, forms_.empty() ? 0 : forms_.front().size() - 1, used);
  held_.erase(0, used);
  return out;
}

std::string Redactor::flush() {
  size_t used = 0;
  std::string out = take_out(held_, 0, used);
  held_.clear();
  return out;
}

std::string Redactor::clean(std::string_view text) const {
  size_t used = 0;
  return take_out(text, 0, used);
}

Value Redactor::clean(const Value& value) const {
  if (const auto* text = value.text()) return clean(std::string_view(*text));
  if (const auto* list = value.list()) {
    Value::List out;
    for (const Value& item : *list) out.push_back(clean(item));
    return out;
  }
  if (const auto* map = value.map()) {
    Value::Map out;
    for (const auto& [key, item] : *map) out.emplace(clean(std::string_view(key)), clean(item));
    return out;
  }
  return value;
}

bool was_taken_from(const Value& value) {
  if (const auto* text = value.text()) return text->find(kInstead) != std::string::npos;
  if (const auto* list = value.list()) return std::ranges::any_of(*list, was_taken_from);
  if (const auto* map = value.map())
    return std::ranges::any_of(*map, [](const auto& entry) {
      return entry.first.find(kInstead) != std::string::npos || was_taken_from(entry.second);
    });
  return false;
}

}  // namespace daruma::run
