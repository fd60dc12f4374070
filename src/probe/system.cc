#include "probe/system.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/size.h"
#include "os/files.h"

namespace daruma::probe {
namespace {

Result<std::string> read_text(FileSystem& fs, const Path& path) {
  DR_TRY(const Bytes bytes, read_file(fs, path, 64 * kKiB));
  return std::string(as_text(bytes));
}

// The number, in KiB, behind "NAME:" at the beginning of a line.
Result<uint64_t> kib_at(std::string_view text, std::string_view name) {
  const std::string wanted = fmt::format("\n{}:", name);
  const size_t at = text.find(wanted);
  uint64_t kib = 0;
  if (at != std::string_view::npos) {
    const size_t digits = text.find_first_not_of(' ', at + wanted.size());
    if (digits != std::string_view::npos &&
        std::from_chars(text.data() + digits, text.data() + text.size(), kib).ec == std::errc())
      return kib;
  }
  return Error{Errc::kFailed, fmt::format("/proc/meminfo does not say {}", name)};
}

}  // namespace

Result<SystemReading> read_system(FileSystem& fs) {
  SystemReading reading;
  DR_TRY(const std::string loads, read_text(fs, "/proc/loadavg"));
  const char* at = loads.data();
  const char* end = at + loads.size();
  for (double* load : {&reading.load_1m, &reading.load_5m, &reading.load_15m}) {
    const auto [next, error] = std::from_chars(at, end, *load);
    if (error != std::errc()) return Error{Errc::kFailed, "/proc/loadavg cannot be read: " + loads};
    at = std::min(next + 1, end);
  }
  DR_TRY(const std::string memory, read_text(fs, "/proc/meminfo"));
  DR_TRY(const uint64_t total, kib_at("\n" + memory, "MemTotal"));
  DR_TRY(const uint64_t available, kib_at(memory, "MemAvailable"));
  reading.memory_bytes = total * kKiB;
  reading.memory_available_bytes = available * kKiB;
  return reading;
}

double DiskReading::used_percent() const {
  if (total_bytes == 0) return 0;
  return 100.0 * static_cast<double>(total_bytes - std::min(free_bytes, total_bytes)) /
         static_cast<double>(total_bytes);
}

Result<DiskReading> read_disk(FileSystem& fs, const Path& path) {
  DiskReading reading;
  DR_TRY(reading.total_bytes, fs.total_bytes(path));
  DR_TRY(reading.free_bytes, fs.free_bytes(path));
  return reading;
}

}  // namespace daruma::probe
