#include "datastore/postgres/snapshot_meta.h"

#include <boost/json.hpp>

#include "datastore/postgres/json_fields.h"

namespace daruma::postgres {
namespace json = boost::json;

namespace {

json::array print_tablespaces(const std::vector<TablespaceInfo>& tablespaces) {
  json::array out;
  for (const TablespaceInfo& space : tablespaces)
    out.push_back({{"oid", space.oid}, {"location", space.location}, {"size_bytes", space.size_bytes}});
  return out;
}

json::array print_page_errors(const std::vector<PageError>& errors) {
  json::array out;
  for (const PageError& error : errors)
    out.push_back({{"path", error.path}, {"block", error.block}, {"excused", error.excused}});
  return out;
}

std::vector<TablespaceInfo> read_tablespaces(JsonFields& fields) {
  std::vector<TablespaceInfo> out;
  for (const json::value& element : fields.array("tablespaces")) {
    JsonFields space(fields.as_object(element, "tablespaces"), "tablespace");
    out.push_back({space.number32("oid"), space.text("location"), space.number("size_bytes")});
    if (!space.status().ok()) fields.fail("tablespaces", "a list of tablespaces");
  }
  return out;
}

std::vector<PageError> read_page_errors(JsonFields& fields) {
  std::vector<PageError> out;
  for (const json::value& element : fields.array("page_errors")) {
    JsonFields error(fields.as_object(element, "page_errors"), "page error");
    out.push_back({error.text("path"), error.number32("block"), error.flag("excused")});
    if (!error.status().ok()) fields.fail("page_errors", "a list of pages");
  }
  return out;
}

std::map<std::string, std::string> read_settings(JsonFields& fields) {
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : fields.object("settings")) {
    if (!value.is_string()) {
      fields.fail("settings", "a list of settings with texts as values");
      continue;
    }
    out.emplace(std::string(name), std::string(value.get_string()));
  }
  return out;
}

}  // namespace

std::string print_meta(const SnapshotMeta& meta) {
  json::object settings;
  for (const auto& [name, value] : meta.settings) settings[name] = value;
  const json::object out{{"system_identifier", std::to_string(meta.system_identifier)},
                         {"server_version", meta.server_version},
                         {"timeline", meta.timeline},
                         {"start_lsn", to_string(meta.start)},
                         {"end_lsn", to_string(meta.end)},
                         {"started_at", to_rfc3339(meta.started)},
                         {"ended_at", to_rfc3339(meta.ended)},
                         {"segment_bytes", meta.segment_size.bytes},
                         {"page_checksums", meta.page_checksums},
                         {"bytes_read", meta.bytes_read},
                         {"bytes_stored", meta.bytes_stored},
                         {"tablespaces", print_tablespaces(meta.tablespaces)},
                         {"settings", settings},
                         {"page_errors", print_page_errors(meta.page_errors)}};
  return json::serialize(out);
}

Result<SnapshotMeta> parse_meta(std::string_view text) {
  constexpr std::string_view kWhat = "the snapshot's description";
  DR_TRY(const json::object object, parse_json_object(text, kWhat));
  JsonFields fields(object, kWhat);
  SnapshotMeta meta;
  meta.system_identifier = fields.decimal("system_identifier");
  meta.server_version = static_cast<int>(fields.number32("server_version"));
  meta.timeline = fields.number32("timeline");
  meta.start = fields.lsn("start_lsn");
  meta.end = fields.lsn("end_lsn");
  meta.started = fields.time("started_at");
  meta.ended = fields.time("ended_at");
  meta.segment_size = {fields.number("segment_bytes")};
  meta.page_checksums = fields.flag("page_checksums");
  meta.bytes_read = fields.number("bytes_read");
  meta.bytes_stored = fields.number("bytes_stored");
  meta.tablespaces = read_tablespaces(fields);
  meta.settings = read_settings(fields);
  meta.page_errors = read_page_errors(fields);
  if (meta.timeline == 0) fields.fail("timeline", "a timeline");
  if (!meta.segment_size.valid()) fields.fail("segment_bytes", "a size that WAL segments can have");
  if (meta.end < meta.start) fields.fail("end_lsn", "after start_lsn");
  DR_OK(fields.status());
  return meta;
}

}  // namespace daruma::postgres
