// cli/output.h: where a command writes: standard output and standard error, or a string in a test.
//
// Threads: write() may be called from any thread; one call's text stays together.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/guarded.h"

namespace daruma {

class Output {
 public:
  struct Kind {
    std::optional<int> columns = {};  // of the terminal; nullopt: it is none
    bool colours = false;
  };

  explicit Output(Kind kind) : kind_(kind) {}
  virtual ~Output() = default;
  virtual void write(std::string_view text) = 0;
  // False once something was not written: a full disk, a reader that went away.
  virtual bool flush() = 0;
  const Kind& kind() const { return kind_; }

 private:
  const Kind kind_;
};

// `file` is borrowed.
std::unique_ptr<Output> file_output(std::FILE* file, Output::Kind kind);

// Keeps what is written, for tests.
class StringOutput final : public Output {
 public:
  explicit StringOutput(Kind kind = {}) : Output(kind) {}
  void write(std::string_view text) override { text_.lock()->append(text); }
  bool flush() override { return true; }
  std::string text() { return *text_.lock(); }

 private:
  Guarded<std::string> text_;
};

enum class Colour : uint8_t { kBold, kRed, kGreen, kYellow, kFaint };
// The text in that colour where `output` shows colours, else as it is.
std::string paint(const Output& output, Colour colour, std::string_view text);

}  // namespace daruma
