// base/enum_words.h: the words that stand for an enumerator wherever it is written down.
//
// A table has the words in the enumerators' order, which begin at 0.
// Threads: pure functions.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"

namespace daruma {

// nullopt: the word stands for none.
template <class E, size_t N>
std::optional<E> enum_named(const std::string_view (&words)[N], std::string_view word) {
  for (size_t i = 0; i < N; ++i)
    if (words[i] == word) return static_cast<E>(i);
  return std::nullopt;
}

// "not_found" and so on, as users of --json see it: never renamed.
std::string_view to_string(Errc code);
std::optional<Errc> errc_named(std::string_view word);

}  // namespace daruma
