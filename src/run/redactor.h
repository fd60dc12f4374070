// run/redactor.h: takes the values of secrets out of a stream of bytes, also where one is cut in two.
//
// Each secret is found as it is, percent-encoded, and in base64, also inside a longer text. Secrets shorter
// than four bytes are left: taking out every "a" would hide the output and not the secret.
// Threads: one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"

namespace daruma::run {

class Redactor {
 public:
  explicit Redactor(const std::vector<std::string>& secrets);

  // What may be shown of the stream so far; up to the longest secret's length stays inside until more comes.
  std::string feed(std::string_view bytes);
  // The rest.
  std::string flush();

  // A whole text, or every text inside a value.
  std::string clean(std::string_view text) const;
  Value clean(const Value& value) const;

 private:
  std::string take_out(std::string_view text, size_t keep, size_t& used) const;

  std::vector<std::string> forms_;  // the longest first
  std::string held_;
};

// Whether a secret was taken out of some text in it: what is left is not what was meant.
bool was_taken_from(const Value& value);

}  // namespace daruma::run
