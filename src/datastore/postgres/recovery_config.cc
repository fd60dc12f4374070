#include "datastore/postgres/recovery_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace daruma::postgres {
namespace {

constexpr std::array<std::string_view, 23> kRemoved{"archive_cleanup_command",
                                                    "archive_mode",
                                                    "config_file",
                                                    "data_directory",
                                                    "external_pid_file",
                                                    "hba_file",
                                                    "ident_file",
                                                    "primary_conninfo",
                                                    "primary_slot_name",
                                                    "promote_trigger_file",
                                                    "recovery_end_command",
                                                    "recovery_min_apply_delay",
                                                    "recovery_target",
                                                    "recovery_target_action",
                                                    "recovery_target_inclusive",
                                                    "recovery_target_lsn",
                                                    "recovery_target_name",
                                                    "recovery_target_time",
                                                    "recovery_target_timeline",
                                                    "recovery_target_xid",
                                                    "restore_command",
                                                    "standby_mode",
                                                    "synchronous_standby_names"};
static_assert(std::ranges::is_sorted(kRemoved));

// The setting a line assigns, lower case; empty for comments and blank lines.
std::string setting_of(std::string_view line) {
  const size_t begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos || line[begin] == '#') return {};
  std::string name;
  for (const char c : line.substr(begin)) {
    if (c == ' ' || c == '\t' || c == '=') break;
    name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return name;
}

const char* action_name(Then then) {
  return then == Then::kPromote ? "promote" : then == Then::kPause ? "pause" : "shutdown";
}

}  // namespace

std::string quote_setting(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  return out + "'";
}

std::string quote_shell(std::string_view word) {
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'')
      out += "'\\''";
    else if (c == '%')
      out += "%%";  // PostgreSQL replaces %f and %p before the shell sees them
    else
      out += c;
  }
  return out + "'";
}

std::string without_recovery_settings(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end == std::string_view::npos ? text.size() : end + 1);
    if (std::ranges::binary_search(kRemoved, std::string_view(setting_of(line))))
      out += "# set aside by daruma restore: ";
    out += line;
    text.remove_prefix(line.size());
  }
  return out;
}

std::string recovery_block(const RecoveryPoint& point, Then then, const std::string& restore_command) {
  std::string out =
      "\n# Written by daruma restore. The first three lines keep this server from touching what the old one "
      "used;\n"
      "# remove them when it has taken over for good.\n"
      "archive_mode = 'off'\nsynchronous_standby_names = ''\nprimary_conninfo = ''\n";
  // With readers let in, recovery stops and waits for a person where the log tells of a setting such as
  // max_connections raised after the snapshot. Without them only pausing is impossible.
  out += fmt::format("hot_standby = '{}'\n", then == Then::kPause ? "on" : "off");
  out += fmt::format("restore_command = {}\n", quote_setting(restore_command));
  // Whatever a file that postgresql.conf includes says of them. PostgreSQL takes no second target, and counts
  // an empty one behind the real one as the end of that, so the real one comes last.
  for (const char* setting : {"archive_cleanup_command", "recovery_end_command", "primary_slot_name"})
    out += fmt::format("{} = ''\n", setting);
  out += "recovery_min_apply_delay = '0'\n";
  for (const char* kind : {"", "_lsn", "_name", "_time", "_xid"})
    out += fmt::format("recovery_target{} = ''\n", kind);
  out += fmt::format("recovery_target_timeline = '{}'\n", point.timeline);
  out += fmt::format("recovery_target_action = '{}'\n", action_name(then));
  if (point.immediate) return out + "recovery_target = 'immediate'\n";
  if (point.stop_before)
    return out + fmt::format("recovery_target_inclusive = 'off'\nrecovery_target_lsn = '{}'\n",
                             to_string(*point.stop_before));
  // Without a target PostgreSQL promotes at the end of the log whatever the action says, so the end is made a
  // target.
  if (then != Then::kPromote && point.last_record)
    out += fmt::format("recovery_target_inclusive = 'on'\nrecovery_target_lsn = '{}'\n",
                       to_string(*point.last_record));
  return out;
}

std::string minimal_configuration(const SnapshotMeta& meta) {
  std::string out =
      "# Written by daruma restore: the server's own configuration lay outside its data directory.\n"
      "# This is the least with which it recovers and starts.\n"
      "listen_addresses = 'localhost'\n";
  for (const auto& [name, value] : meta.settings) out += fmt::format("{} = {}\n", name, quote_setting(value));
  return out;
}

std::string minimal_hba() {
  return "# Written by daruma restore: local users under their own names, nobody else.\n"
         "local all all peer\nlocal replication all peer\n";
}

}  // namespace daruma::postgres
