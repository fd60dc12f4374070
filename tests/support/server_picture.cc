#include "support/server_picture.h"

#include <charconv>
#include <string_view>

#include "fmt/format.h"
#include "os/files.h"

namespace daruma {

namespace {

constexpr uint64_t kDumpMax = 256 << 20;

std::string_view take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

// Newer versions of pg_dump guard their output with a random word.
bool is_guard(std::string_view line) {
  return line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ");
}

std::string run_dump(PostgresServer& server, const std::string& program, std::vector<std::string> arguments) {
  const Path file = server.directory() / "dump.sql";
  arguments.insert(arguments.begin(), {"-f", file});
  const ProcessExit ended = server.tool(program, arguments);
  if (ended.code != 0) return program + " failed: " + ended.output;
  const auto fs = real_file_system();
  const auto bytes = read_file(*fs, file, kDumpMax);
  DR_CHECK(bytes.ok() && fs->remove_file(file).ok());
  std::string out;
  for (std::string_view rest = as_text(*bytes); !rest.empty();)
    if (const std::string_view line = take_line(rest); !is_guard(line)) out += std::string(line) + "\n";
  return out;
}

// "SELECT pg_catalog.setval('public.s', 42, true);"
struct Setval {
  std::string_view sequence;
  int64_t number = 0;
};
std::optional<Setval> parse_setval(std::string_view line) {
  if (!line.starts_with("SELECT pg_catalog.setval(")) return std::nullopt;
  const size_t end = line.rfind(", ");
  const size_t begin = end == std::string_view::npos ? end : line.rfind(", ", end - 1);
  if (begin == std::string_view::npos) return std::nullopt;
  Setval out{line.substr(0, begin), 0};
  const std::string_view digits = line.substr(begin + 2, end - begin - 2);
  if (std::from_chars(digits.data(), digits.data() + digits.size(), out.number).ec != std::errc())
    return std::nullopt;
  return out;
}

bool same_line(std::string_view original, std::string_view recovered) {
  if (original == recovered) return true;
  const auto was = parse_setval(original);
  const auto is = parse_setval(recovered);
  return was && is && was->sequence == is->sequence && is->number >= was->number;
}

std::string difference_of_dumps(std::string_view original, std::string_view recovered) {
  for (int number = 1; !original.empty() || !recovered.empty(); ++number) {
    const std::string_view was = take_line(original);
    const std::string_view is = take_line(recovered);
    if (!same_line(was, is) || original.empty() != recovered.empty())
      return fmt::format("line {}: was\n{}\nand is\n{}", number, was.substr(0, 500), is.substr(0, 500));
  }
  return "";
}

}  // namespace

ServerPicture take_picture(PostgresServer& server) {
  ServerPicture picture;
  for (const postgres::SqlRow& row : server.sql("SELECT datname FROM pg_database WHERE datallowconn"))
    picture.dumps[row[0].value()] = run_dump(server, "pg_dump", {"--create", row[0].value()});
  picture.roles = run_dump(server, "pg_dumpall", {"--roles-only"});
  picture.prepared = server.value(
      "SELECT coalesce(string_agg(concat_ws(' ', gid, transaction, prepared, owner, database), E'\\n' "
      "ORDER BY gid), '') FROM pg_prepared_xacts");
  return picture;
}

std::string difference(const ServerPicture& original, const ServerPicture& recovered) {
  for (const auto& [database, dump] : original.dumps) {
    const auto found = recovered.dumps.find(database);
    if (found == recovered.dumps.end()) return fmt::format("database {} is missing", database);
    const std::string what = difference_of_dumps(dump, found->second);
    if (!what.empty()) return fmt::format("pg_dump of {}, {}", database, what);
  }
  if (recovered.dumps.size() != original.dumps.size()) return "there are more databases than there were";
  if (original.roles != recovered.roles) return "the roles differ";
  if (original.prepared != recovered.prepared)
    return fmt::format("prepared transactions were\n{}\nand are\n{}", original.prepared, recovered.prepared);
  return "";
}

}  // namespace daruma
