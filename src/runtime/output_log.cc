#include "runtime/output_log.h"

#include <algorithm>

#include <fmt/format.h>

#include "os/files.h"

namespace daruma::runtime {
namespace {

constexpr uint64_t kReadBytesMax = 1 << 20;

Path older(const Path& path, int age) { return fmt::format("{}.{}", path.native(), age); }

// The last bytes of a file, `most` of them; "" where it cannot be read.
std::string tail_of(FileSystem& fs, const Path& path, uint64_t most) {
  const auto file = fs.open_read(path);
  if (!file.ok()) return {};
  const auto size = (*file)->size();
  if (!size.ok()) return {};
  const uint64_t wanted = std::min(*size, most);
  std::string text(wanted, '\0');
  const auto read = (*file)->read_at(*size - wanted, std::as_writable_bytes(std::span(text)));
  text.resize(read.ok() ? *read : 0);
  return text;
}

}  // namespace

void OutputLog::append(std::string_view text) {
  if (lost_bytes_ > 0 &&
      write(fmt::format("[daruma: {} bytes of output were lost here: the log could not be written]\n",
                        lost_bytes_))
          .ok())
    lost_bytes_ = 0;
  if (lost_bytes_ > 0 || !write(text).ok()) lost_bytes_ += text.size();
}

Status OutputLog::write(std::string_view text) {
  if (!file_) DR_OK(open());
  if (size_ + text.size() > kFileBytesMax) {
    rotate();
    DR_OK(open());
    if (size_ + text.size() > kFileBytesMax)
      return Error{Errc::kFailed, fmt::format("'{}' cannot be set aside", path_.native())};
  }
  DR_OK(file_->append(as_bytes(text)));
  size_ += text.size();
  return {};
}

Status OutputLog::open() {
  DR_TRY(file_, fs_.open_append(path_, 0600));
  DR_TRY(size_, file_->size());
  return {};
}

void OutputLog::rotate() {
  file_.reset();
  // A name that cannot be changed costs the older file, never the bound.
  for (int age = kOlderFiles; age > 0; --age)
    static_cast<void>(fs_.rename(age > 1 ? older(path_, age - 1) : path_, older(path_, age)));
  static_cast<void>(fs_.remove_file(path_));
}

std::string last_output(FileSystem& fs, const Path& path, uint32_t lines) {
  std::string text = tail_of(fs, path, kReadBytesMax);
  for (int age = 1; age <= OutputLog::kOlderFiles && text.size() < kReadBytesMax; ++age)
    text.insert(0, tail_of(fs, older(path, age), kReadBytesMax - text.size()));
  return std::string(last_lines(text, lines));
}

std::string_view last_lines(std::string_view text, uint32_t lines) {
  if (lines == 0) return {};
  size_t at = text.size();
  if (at > 0 && text[at - 1] == '\n') --at;
  for (uint32_t found = 0; at > 0; --at)
    if (text[at - 1] == '\n' && ++found == lines) return text.substr(at);
  return text;
}

}  // namespace daruma::runtime
