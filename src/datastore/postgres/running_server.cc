#include "datastore/postgres/running_server.h"

#include <charconv>

#include "base/size.h"
#include "os/environment.h"
#include "os/files.h"

namespace daruma::postgres {
namespace {

std::optional<int> number_in(std::string_view text) {
  int number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() && parsed.ptr != text.data() ? std::optional(number) : std::nullopt;
}

// Where a process works; nullopt: it is gone, or is not ours to ask.
std::optional<Path> working_directory(FileSystem& fs, int pid) {
  const auto path = fs.read_symlink(Path("/proc") / std::to_string(pid) / "cwd");
  return path.ok() ? std::optional(*path) : std::nullopt;
}

std::string program_of(FileSystem& fs, int pid) {
  const auto name = read_file(fs, Path("/proc") / std::to_string(pid) / "comm", 4 * kKiB);
  return name.ok() ? std::string(as_text(*name)) : std::string();
}

std::optional<int> pid_in_file(FileSystem& fs, const Path& directory) {
  const auto text = read_file(fs, directory / "postmaster.pid", 64 * kKiB);
  if (!text.ok()) return std::nullopt;
  const auto pid = number_in(as_text(*text));
  return pid && *pid > 1 && process_exists(*pid) ? pid : std::nullopt;
}

}  // namespace

std::optional<int> running_postmaster(FileSystem& fs, const Path& data_directory) {
  const auto pid = pid_in_file(fs, data_directory);
  if (!pid) return std::nullopt;
  std::error_code ignored;
  const auto works_in = working_directory(fs, *pid);
  const bool there = !works_in || *works_in == std::filesystem::weakly_canonical(data_directory, ignored);
  return there ? pid : std::nullopt;
}

std::optional<int> running_server(FileSystem& fs, const Path& data_directory) {
  if (const auto pid = running_postmaster(fs, data_directory)) return pid;
  std::error_code ignored;
  const Path directory = std::filesystem::weakly_canonical(data_directory, ignored);
  const auto processes = fs.list_dir("/proc");
  if (!processes.ok()) return std::nullopt;
  for (const DirectoryEntry& entry : *processes) {
    const auto pid = number_in(entry.name);
    if (pid && working_directory(fs, *pid) == directory && program_of(fs, *pid).starts_with("postgres"))
      return pid;
  }
  return std::nullopt;
}

}  // namespace daruma::postgres
