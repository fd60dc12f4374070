// runtime/output_log.h: what a service prints, kept in output.log and two older files of 10 MiB each at most.
//
// Never blocks a service and never grows: what the disk cannot take is lost, counted, and said in the log
// itself when it takes writes again. Nothing is made durable.
// Threads: one writer; any readers.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "os/file_system.h"

namespace daruma::runtime {

class OutputLog {
 public:
  static constexpr uint64_t kFileBytesMax = 10 << 20;
  static constexpr int kOlderFiles = 2;

  // Goes on with the file at `path`. Opening it may fail later as well as now, so it does not fail.
  OutputLog(FileSystem& fs, Path path) : fs_(fs), path_(std::move(path)) {}

  void append(std::string_view text);
  uint64_t lost_bytes() const { return lost_bytes_; }

 private:
  Status write(std::string_view text);
  Status open();
  void rotate();

  FileSystem& fs_;
  Path path_;
  std::unique_ptr<AppendFile> file_;
  uint64_t size_ = 0;
  uint64_t lost_bytes_ = 0;  // since the last line that said so
};

// The last `lines` lines of the log at `path`, oldest first, at most 1 MiB; "" where there is none.
std::string last_output(FileSystem& fs, const Path& path, uint32_t lines);
// The same of any text: from where its last `lines` lines begin.
std::string_view last_lines(std::string_view text, uint32_t lines);

}  // namespace daruma::runtime
