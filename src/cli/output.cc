#include "cli/output.h"

#include <array>
#include <atomic>

#include <fmt/format.h>

namespace daruma {
namespace {

class FileOutput final : public Output {
 public:
  FileOutput(std::FILE* file, Kind kind) : Output(kind), file_(file) {}
  void write(std::string_view text) override {
    if (std::fwrite(text.data(), 1, text.size(), file_) != text.size()) failed_ = true;
  }
  bool flush() override {
    if (std::fflush(file_) != 0) failed_ = true;
    return !failed_;
  }

 private:
  std::FILE* file_;
  std::atomic<bool> failed_ = false;
};

}  // namespace

std::unique_ptr<Output> file_output(std::FILE* file, Output::Kind kind) {
  return std::make_unique<FileOutput>(file, kind);
}

std::string paint(const Output& output, Colour colour, std::string_view text) {
  static constexpr std::array<int, 5> kCodes{1, 31, 32, 33, 2};  // as Colour counts
  if (!output.kind().colours) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", kCodes[static_cast<size_t>(colour)], text);
}

}  // namespace daruma
