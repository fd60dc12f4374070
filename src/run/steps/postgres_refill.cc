#include "run/steps/postgres_refill.h"

#include <fmt/format.h>

#include <algorithm>

#include "run/steps/step_note.h"

namespace daruma::run {
namespace {

using May = PostgresSession::May;

constexpr const char* kMaintenance = "template1";

Value::List as_list(const std::vector<std::string>& texts) { return {texts.begin(), texts.end()}; }

std::vector<std::string> texts_at(const Value& value, std::string_view key) {
  std::vector<std::string> out;
  if (const Value* found = value.find(key); found && found->list())
    for (const Value& text : *found->list()) out.push_back(to_text(text));
  return out;
}

// "DROP ROLE x" for every name.
Status drop_all(PostgresSession& session, std::string_view command, const std::vector<std::string>& names,
                std::string_view how = "") {
  for (const std::string& name : names) {
    DR_TRY(const std::string quoted, session.quoted(name));
    DR_OK(session.run(fmt::format("{} {}{}", command, quoted, how)));
    fmt::print("{} {}: left by an attempt that was killed\n", command, name);
  }
  return {};
}

}  // namespace

Result<ClusterContent> cluster_content(StepContext& context) {
  ClusterContent content;
  DR_TRY(auto session, PostgresSession::open(context, May::kRead, "postgres"));
  DR_TRY(content.system_identifier, session.value("SELECT system_identifier FROM pg_control_system()"));
  DR_TRY(const auto databases,
         session.ask("SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> "
                     "'postgres' ORDER BY 1"));
  content.databases = first_column(databases);
  // initdb's own have an OID below 16384, and what users make has none.
  DR_TRY(
      const auto roles,
      session.ask("SELECT rolname FROM pg_roles WHERE oid >= 16384 AND rolname <> current_user ORDER BY 1"));
  content.roles = first_column(roles);
  DR_TRY(const auto spaces, session.ask("SELECT spcname FROM pg_tablespace WHERE oid >= 16384 ORDER BY 1"));
  content.tablespaces = first_column(spaces);
  DR_TRY(const std::string relations, session.value("SELECT count(*) FROM pg_class WHERE oid >= 16384"));
  content.relations = std::stoull(relations);
  return content;
}

Result<std::optional<RefillMark>> read_mark(StepContext& context) {
  DR_TRY(const Value value, read_note(context));
  if (value.is_null()) return std::optional<RefillMark>();
  RefillMark mark;
  mark.system_identifier = value.text_at("system_identifier");
  mark.file = value.text_at("file");
  mark.roles_before = texts_at(value, "roles_before");
  mark.done = value.boolean_at("done");
  if (const Value* outputs = value.find("outputs")) mark.outputs = *outputs;
  return std::optional(std::move(mark));
}

Status write_mark(StepContext& context, const RefillMark& mark) {
  const Value value = Value::Map{{"system_identifier", mark.system_identifier},
                                 {"file", mark.file},
                                 {"roles_before", as_list(mark.roles_before)},
                                 {"done", mark.done},
                                 {"outputs", mark.outputs}};
  return write_note(context, value);
}

Status empty_again(StepContext& context, const RefillMark& mark) {
  DR_TRY(auto session, PostgresSession::open(context, May::kWrite, kMaintenance));
  DR_TRY(const std::string here, session.value("SELECT system_identifier FROM pg_control_system()"));
  if (here != mark.system_identifier)
    return Error{Errc::kRefused, "another server answers now than the one this run began to fill",
                 "nothing was touched; look which server runs there"};
  DR_OK(end_earlier_attempts(context, session));
  DR_TRY(ClusterContent content, cluster_content(context));
  DR_OK(drop_all(session, "DROP DATABASE", content.databases, " WITH (FORCE)"));
  if (content.relations > 0) {
    DR_OK(session.run("DROP DATABASE postgres WITH (FORCE)"));
    DR_OK(session.run("CREATE DATABASE postgres TEMPLATE template0"));
  }
  DR_OK(drop_all(session, "DROP TABLESPACE", content.tablespaces));
  std::erase_if(content.roles, [&](const std::string& role) {
    return std::ranges::find(mark.roles_before, role) != mark.roles_before.end();
  });
  return drop_all(session, "DROP ROLE", content.roles);
}

}  // namespace daruma::run
