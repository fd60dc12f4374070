#include <fmt/format.h>

#include "base/table.h"
#include "run/steps/inputs.h"
#include "run/steps/postgres_family.h"
#include "run/steps/postgres_session.h"

namespace daruma::run {
namespace {

struct TableName {
  std::string database, schema, table;
  std::string text() const { return database + "." + schema + "." + table; }
};

// "authdb.users" or "authdb.public.users".
Result<TableName> table_name(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('.', at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  if (parts.size() == 2) parts.insert(parts.begin() + 1, "public");
  if (parts.size() != 3 || parts[0].empty() || parts[1].empty() || parts[2].empty())
    return Error{Errc::kInvalid, fmt::format("'{}' names no table", text),
                 "write DATABASE.TABLE or DATABASE.SCHEMA.TABLE"};
  return TableName{parts[0], parts[1], parts[2]};
}

// The expectation for a table, under its long or its short name; nullopt: there is none.
std::optional<int64_t> expected_rows(const Value& expected, const std::string& given, const TableName& name) {
  for (const std::string& key : {given, name.text(), name.database + "." + name.table})
    if (const Value* rows = expected.find(key); rows && rows->integer()) return *rows->integer();
  return std::nullopt;
}

struct Verdict {
  std::string word;
  bool good = true;
};

Verdict judge(const StepContext& context, int64_t rows, std::optional<int64_t> expected) {
  if (!input(context, "expected")) return {"", true};
  if (!expected) return {"no expectation", false};
  const std::string compare = text_input(context, "compare");
  const bool good = compare == "at_least" ? rows >= *expected : rows == *expected;
  return {good ? "as expected" : "WRONG", good};
}

Result<Value> counts(StepContext& context) {
  DR_TRY(const auto tables, texts_input(context, "tables"));
  const std::string compare = text_input(context, "compare");
  if (!compare.empty() && compare != "equal" && compare != "at_least")
    return Error{Errc::kInvalid, fmt::format("compare: '{}' is neither equal nor at_least", compare)};
  const Value nothing = Value::Map{};
  const Value* given = input(context, "expected");
  const Value& expected = given ? *given : nothing;
  Table text({{"table"}, {"rows", Table::Align::kRight}, {"expected", Table::Align::kRight}, {""}});
  Value::Map found;
  std::string wrong;
  int64_t total = 0;
  for (const std::string& table : tables) {
    DR_TRY(const TableName name, table_name(table));
    DR_TRY(auto session, PostgresSession::open(context, PostgresSession::May::kRead, name.database));
    DR_TRY(const std::string schema, session.quoted(name.schema));
    DR_TRY(const std::string relation, session.quoted(name.table));
    DR_TRY(const std::string count,
           session.value(fmt::format("SELECT count(*) FROM {}.{}", schema, relation)));
    const int64_t rows = std::stoll(count);
    const auto wanted = expected_rows(expected, table, name);
    const Verdict verdict = judge(context, rows, wanted);
    text.row({table, count, wanted ? std::to_string(*wanted) : "-", verdict.word});
    if (!verdict.good)
      wrong += fmt::format("{}{} has {} rows, expected {}", wrong.empty() ? "" : "; ", table, rows,
                           wanted ? std::to_string(*wanted) : "is not known");
    found[table] = rows;
    total += rows;
  }
  fmt::print("{}", text.text());
  if (!wrong.empty()) return Error{Errc::kFailed, wrong};
  return Value(Value::Map{{"counts", found}, {"total", total}});
}

std::vector<std::string> by_hand(const StepContext& context) {
  std::vector<std::string> lines;
  const auto tables = texts_input(context, "tables");
  if (!tables.ok()) return lines;
  for (const std::string& table : *tables)
    if (const auto name = table_name(table); name.ok())
      lines.push_back(psql_line(context, fmt::format("SELECT count(*) FROM {}.{}", name->schema, name->table),
                                name->database));
  return lines;
}

Result<Preview> preview(StepContext& context) {
  DR_OK(datastore_input(context, DatastoreKind::kPostgres));
  DR_TRY(const auto tables, texts_input(context, "tables"));
  Preview preview{{}, by_hand(context)};
  for (const std::string& table : tables) {
    DR_OK(table_name(table));
    preview.would.push_back("count the rows of " + table);
  }
  return preview;
}

constexpr InputRow kInputs[] = {
    kPostgresDatastore,
    {.name = "tables",
     .kind = InputRow::Kind::kList,
     .required = true,
     .help = "DATABASE.TABLE or DATABASE.SCHEMA.TABLE each"},
    {.name = "expected",
     .kind = InputRow::Kind::kMap,
     .help = "rows by table, as postgres.counts or postgres.find_backup put them out"},
    {.name = "compare", .standard = "equal", .help = "equal, or at_least"},
    kPostgresUser,
    kPostgresPassword};
constexpr std::string_view kOutputs[] = {"counts", "total"};

}  // namespace

StepType postgres_counts_step() {
  return {.name = "postgres.counts",
          .summary = "counts the rows of tables and compares them with what is expected",
          .timeout = std::chrono::minutes(5),
          .inputs = kInputs,
          .outputs = kOutputs,
          .act = counts,
          .preview = preview,
          .by_hand = by_hand};
}

}  // namespace daruma::run
