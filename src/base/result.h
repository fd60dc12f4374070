// base/result.h: values that may fail. The failure path is the product: errors are values nobody can ignore.
//
// An Error names the thing, the value and the cause in `what`, and the next step in `hint`. A code exists
// only if some caller reacts to it differently from the others.
// Threads: plain values.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "base/check.h"

namespace daruma {

enum class Errc : unsigned char {
  kFailed,       // it did not work, and no caller can do better than say so
  kInvalid,      // the caller's input is wrong: usage, configuration, arguments
  kNotFound,     // the named thing is not there
  kExists,       // create-only: the name is taken
  kCorrupt,      // bytes were read, and they are not what was written
  kUnavailable,  // may work later: retry with back-off
  kNoSpace,      // the disk or quota is full; nothing became visible
  kRefused,      // would be unsafe, so nothing was touched
  kCancelled,    // a stop was asked for, or the deadline passed
};

struct Error {
  Errc code = Errc::kFailed;
  std::string what;
  std::string hint = {};

  // The same error seen from one floor up: "context: what". Code and hint stay.
  [[nodiscard]] Error in(const std::string& context) && {
    what = context + ": " + what;
    return std::move(*this);
  }
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  // A value, not a reference into the dying Result: `for (auto& x : *list())` must not dangle.
  T operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  T& value() & {
    DR_CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    DR_CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  T value() && { return std::move(value()); }
  const Error& error() const& {
    DR_CHECK(!ok());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    DR_CHECK(!ok());
    return std::move(*std::get_if<1>(&state_));
  }
  bool is(Errc code) const { return !ok() && error().code == code; }

 private:
  std::variant<T, Error> state_;
};

// Success without a value, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), ok_(false) {}

  bool ok() const { return ok_; }
  explicit operator bool() const { return ok_; }
  const Error& error() const& {
    DR_CHECK(!ok_);
    return error_;
  }
  Error&& error() && {
    DR_CHECK(!ok_);
    return std::move(error_);
  }
  bool is(Errc code) const { return !ok_ && error_.code == code; }

 private:
  Error error_;
  bool ok_ = true;
};
using Status = Result<void>;

}  // namespace daruma

#define DR_CONCAT_INNER(a, b) a##b
#define DR_CONCAT(a, b) DR_CONCAT_INNER(a, b)

// DR_TRY(auto x, f()): declares x from f()'s value, or returns f()'s error from the enclosing function.
#define DR_TRY(declaration, expression) DR_TRY_INNER(DR_CONCAT(dr_try_, __COUNTER__), declaration, expression)
#define DR_TRY_INNER(temporary, declaration, expression)    \
  auto temporary = (expression);                            \
  if (!temporary.ok()) return std::move(temporary).error(); \
  declaration = *std::move(temporary)

// DR_OK(f()): returns f()'s error from the enclosing function if it failed; a value is dropped.
#define DR_OK(expression) DR_OK_INNER(DR_CONCAT(dr_status_, __COUNTER__), expression)
#define DR_OK_INNER(temporary, expression)                                                     \
  do {                                                                                         \
    if (auto&& temporary = (expression); !temporary.ok()) return std::move(temporary).error(); \
  } while (false)
