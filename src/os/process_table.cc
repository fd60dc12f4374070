#include "os/process_table.h"

#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <set>

#include <fmt/format.h>

#include "os/descriptor.h"
#include "os/errno.h"
#include "os/files.h"

namespace daruma {
namespace {

constexpr uint64_t kProcFileMax = 4 << 20;

// "" where the process is gone, or does not let us see.
std::string proc_text(int pid, const char* name) {
  const auto bytes = read_file(*real_file_system(), fmt::format("/proc/{}/{}", pid, name), kProcFileMax);
  return bytes.ok() ? std::string(as_text(*bytes)) : std::string();
}

uint64_t number(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

// "PID (NAME) STATE PPID PGRP SESSION …"; the name may hold anything, ") " included.
std::optional<ProcessInfo> parse_stat(std::string_view stat) {
  const size_t opening = stat.find('('), closing = stat.rfind(')');
  if (opening == stat.npos || closing == stat.npos || closing < opening) return std::nullopt;
  const auto words = words_of(stat.substr(closing + 1));  // words[0] is field 3 of proc(5)
  if (words.size() < 22) return std::nullopt;
  const auto ticks_a_second = static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
  ProcessInfo info;
  info.id = {static_cast<int>(number(stat)), number(words[19])};
  info.parent = static_cast<int>(number(words[1]));
  info.session = static_cast<int>(number(words[3]));
  info.name = std::string(stat.substr(opening + 1, closing - opening - 1));
  info.ended = words[0] == "Z" || words[0] == "X";
  info.resident_bytes = number(words[21]) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const uint64_t ticks = number(words[11]) + number(words[12]) + number(words[13]) + number(words[14]);
  info.cpu =
      Duration(std::chrono::seconds(1)) * static_cast<int64_t>(ticks) / static_cast<int64_t>(ticks_a_second);
  return info;
}

}  // namespace

std::optional<ProcessInfo> process_info(int pid) {
  return pid > 0 ? parse_stat(proc_text(pid, "stat")) : std::nullopt;
}

std::vector<ProcessInfo> all_processes() {
  std::vector<ProcessInfo> all;
  const auto entries = real_file_system()->list_dir("/proc");
  if (!entries.ok()) return all;
  for (const DirectoryEntry& entry : *entries)
    if (auto info = process_info(static_cast<int>(number(entry.name))); info && !info->ended)
      all.push_back(std::move(*info));
  return all;
}

std::vector<ProcessInfo> descendants_of(int ancestor, const std::vector<ProcessInfo>& all) {
  std::set<int> family{ancestor};
  std::vector<ProcessInfo> found;
  for (bool grew = true; grew;) {  // a child may stand before its parent: pids wrap around
    grew = false;
    for (const ProcessInfo& info : all)
      if (family.contains(info.parent) && family.insert(info.id.pid).second) {
        found.push_back(info);
        grew = true;
      }
  }
  return found;
}

bool is_running(const ProcessId& id) {
  const auto info = process_info(id.pid);
  return info && info->id == id && !info->ended;
}

bool send_signal(const ProcessId& id, int signal) {
  const Descriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, id.pid, 0)));
  // Looked at after it was opened: whoever the descriptor means is not younger than what is seen here.
  if (!pidfd.valid() || !is_running(id)) return false;
  return ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) == 0;
}

bool started_with(int pid, const std::string& variable) {
  const std::string environment = '\0' + proc_text(pid, "environ");
  return environment.find('\0' + variable + '\0') != std::string::npos;
}

bool writes_to_pipe(int pid, uint64_t pipe_inode) {
  const std::string pipe = fmt::format("pipe:[{}]", pipe_inode);
  const auto fs = real_file_system();
  for (const int descriptor : {1, 2}) {
    const auto target = fs->read_symlink(fmt::format("/proc/{}/fd/{}", pid, descriptor));
    if (target.ok() && target->native() == pipe) return true;
  }
  return false;
}

bool handles_signal(int pid, int signal) {
  const std::string status = proc_text(pid, "status");
  for (const char* line : {"\nSigCgt:\t", "\nSigIgn:\t", "\nSigBlk:\t"}) {
    const size_t at = status.find(line);
    if (at == std::string::npos) continue;
    uint64_t mask = 0;
    const char* begin = status.data() + at + std::string_view(line).size();
    std::from_chars(begin, status.data() + status.size(), mask, 16);
    if ((mask >> (signal - 1) & 1) != 0) return true;
  }
  return false;
}

std::string boot_id() {
  const auto bytes = read_file(*real_file_system(), "/proc/sys/kernel/random/boot_id", 4096);
  std::string id = bytes.ok() ? std::string(as_text(*bytes)) : std::string();
  while (id.ends_with('\n')) id.pop_back();
  return id;
}

}  // namespace daruma
