#include "datastore/postgres/settings.h"

#include <fmt/format.h>

#include <charconv>

#include "base/size.h"

namespace daruma::postgres {
namespace {

constexpr const char* kRecoverySettings[] = {"max_connections",           "max_worker_processes",
                                             "max_wal_senders",           "max_prepared_transactions",
                                             "max_locks_per_transaction", "wal_level"};

struct Outside {
  const char* setting;
  const char* name;
};
constexpr Outside kConfigurationFiles[] = {
    {"config_file", "postgresql.conf"}, {"hba_file", "pg_hba.conf"}, {"ident_file", "pg_ident.conf"}};

}  // namespace

Result<SegmentSize> read_segment_size(ReplicationConnection& connection) {
  DR_TRY(const std::string text, connection.show("wal_segment_size"));  // "16MB", "1GB"
  uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(parsed.ptr, static_cast<size_t>(text.data() + text.size() - parsed.ptr));
  const SegmentSize size{number * (unit == "GB" ? kGiB : unit == "MB" ? kMiB : 1)};
  if (!size.valid())
    return Error{Errc::kFailed, fmt::format("the server's wal_segment_size '{}' makes no sense", text)};
  return size;
}

Result<std::map<std::string, std::string>> read_recovery_settings(ReplicationConnection& connection) {
  std::map<std::string, std::string> settings;
  for (const char* name : kRecoverySettings) {
    DR_TRY(settings[name], connection.show(name));
  }
  return settings;
}

Result<std::vector<ConfigurationFile>> read_outside_configuration(SqlConnection& sql) {
  DR_TRY(const auto user, sql.query("SELECT quote_ident(current_user)"));
  const std::string role = user.empty() || user.front().empty() ? "" : user.front().front().value_or("");
  const std::string hint = fmt::format(
      "as a superuser: GRANT pg_read_all_settings, pg_read_server_files TO {0}; GRANT EXECUTE ON FUNCTION "
      "pg_read_file(text) TO {0};",
      role);
  DR_TRY(const auto rows, sql.query("SELECT name, setting FROM pg_settings WHERE name IN ('data_directory', "
                                    "'config_file', 'hba_file', 'ident_file')"));
  std::map<std::string, std::string> where;
  for (const SqlRow& row : rows)
    if (row.size() == 2 && row[0] && row[1]) where[*row[0]] = *row[1];
  if (!where.contains("data_directory"))
    return Error{Errc::kRefused,
                 "the configuration outside the data directory is not part of this snapshot: the role may "
                 "not see where it is",
                 hint};
  std::vector<ConfigurationFile> files;
  for (const Outside& file : kConfigurationFiles) {
    const auto path = where.find(file.setting);
    if (path == where.end() || path->second.starts_with(where["data_directory"] + "/")) continue;
    const auto text = sql.query("SELECT pg_read_file($1)", {path->second});
    if (!text.ok())
      return Error{Errc::kRefused,
                   fmt::format("{} is not part of this snapshot: {}", path->second, text.error().what), hint};
    if (!text->empty() && text->front().front()) files.push_back({file.name, *text->front().front()});
  }
  return files;
}

}  // namespace daruma::postgres
