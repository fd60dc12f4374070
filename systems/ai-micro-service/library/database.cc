#include "library/database.h"

#include <fmt/format.h>

#include <cstdio>

#include "service/migrations.h"

namespace aimicro {

using daruma::Errc;
using daruma::Error;
using daruma::Result;
using daruma::Status;
using daruma::service::PostgresPool;
using daruma::service::PostgresSession;
using daruma::service::PostgresSettings;
using daruma::service::Setting;
using daruma::service::SettingKind;
using daruma::service::Settings;
using daruma::service::Worker;

namespace {

PostgresSettings settings_of(const Settings& settings) {
  PostgresSettings out;
  out.host = settings.text("postgres.host");
  out.port = static_cast<int>(settings.number("postgres.port"));
  out.user = settings.text("postgres.user");
  out.password = settings.secret("postgres.password");
  out.database = settings.text("postgres.database");
  out.connections = static_cast<size_t>(settings.number("postgres.connections"));
  return out;
}

// A command has time: the server may just be starting on a busy machine.
PostgresSettings patient(PostgresSettings settings) {
  settings.connect_time_max = std::chrono::seconds(15);
  return settings;
}

PostgresSettings admin_of(const Settings& settings, const std::string& database) {
  PostgresSettings out = patient(settings_of(settings));
  if (settings.text("postgres.admin_user").empty()) return out;
  out.user = settings.text("postgres.admin_user");
  out.password = settings.secret("postgres.admin_password");
  out.database = database;
  return out;
}

// Somebody else may make the same thing at the same time: then it is there, and that is all we want.
Status make_unless_there(PostgresSession& session, const std::string& question, const std::string& name,
                         const std::string& statement) {
  DR_TRY(const auto rows, session.run(question, {name}));
  if (!rows.empty()) return {};
  auto made = session.run(statement);
  if (made.ok()) return {};
  DR_TRY(const auto again, session.run(question, {name}));
  return again.empty() ? Status(std::move(made).error()) : Status();
}

Status make_role_and_database(const Settings& settings) {
  DR_TRY(auto session, PostgresSession::connect(admin_of(settings, "postgres")));
  const std::string& user = settings.text("postgres.user");
  const std::string& database = settings.text("postgres.database");
  DR_TRY(const std::string role, session.identifier(user));
  DR_TRY(const std::string name, session.identifier(database));
  if (user != settings.text("postgres.admin_user")) {
    DR_OK(make_unless_there(session, "SELECT 1 FROM pg_roles WHERE rolname = $1", user,
                            "CREATE ROLE " + role + " LOGIN"));
    if (!settings.secret("postgres.password").empty())
      DR_OK(session.set_password(user, settings.secret("postgres.password")));
  }
  DR_OK(make_unless_there(session, "SELECT 1 FROM pg_database WHERE datname = $1", database,
                          "CREATE DATABASE " + name + " TEMPLATE template0 ENCODING 'UTF8'"));
  DR_OK(session.run("REVOKE CONNECT, TEMPORARY ON DATABASE " + name + " FROM PUBLIC"));
  DR_OK(session.run("GRANT CONNECT ON DATABASE " + name + " TO " + role));
  return {};
}

Status grant_tables(PostgresSession& session, const std::string& user) {
  DR_TRY(const std::string role, session.identifier(user));
  DR_OK(session.run_script("GRANT USAGE ON SCHEMA public TO " + role +
                           "; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO " +
                           role + "; REVOKE INSERT, UPDATE, DELETE ON schema_migrations FROM " + role));
  return {};
}

Result<std::vector<std::string>> migrate_all(const Settings& settings) {
  const bool as_admin = !settings.text("postgres.admin_user").empty();
  if (as_admin) DR_OK(make_role_and_database(settings));
  DR_TRY(auto session, PostgresSession::connect(admin_of(settings, settings.text("postgres.database"))));
  const auto fs = daruma::real_file_system();
  DR_TRY(auto ran, migrate(session, *fs, settings.path("migrations")));
  if (as_admin && settings.text("postgres.user") != settings.text("postgres.admin_user"))
    DR_OK(grant_tables(session, settings.text("postgres.user")));
  return ran;
}

}  // namespace

std::vector<Setting> database_settings(const std::string& database, const std::string& user) {
  return {
      {"postgres.host", SettingKind::kText, "127.0.0.1", "PostgreSQL: name, address or socket folder"},
      {"postgres.port", SettingKind::kNumber, "5432", "PostgreSQL: port"},
      {"postgres.user", SettingKind::kText, user, "PostgreSQL: the service's role"},
      {"postgres.password", SettingKind::kSecret, "", "PostgreSQL: its password"},
      {"postgres.database", SettingKind::kText, database, "PostgreSQL: the service's database"},
      {"postgres.connections", SettingKind::kNumber, "4", "PostgreSQL: connections of a worker"},
      {"postgres.admin_user", SettingKind::kText, "postgres",
       "migrate: the role that makes role, database and tables; \"\" for the service's own"},
      {"postgres.admin_password", SettingKind::kSecret, "", "migrate: its password"},
      {"migrations", SettingKind::kPath, "migrations", "migrate: the folder of NNNN_name.sql files"},
  };
}

std::unique_ptr<PostgresPool> open_pool(Worker& worker) {
  return PostgresPool::create(worker.io, settings_of(worker.settings), worker.clock, worker.random,
                              worker.log, worker.metrics);
}

Result<PostgresSession> open_session(const Settings& settings) {
  return PostgresSession::connect(patient(settings_of(settings)));
}

Status check_numbers(const Settings& settings,
                     const std::vector<std::pair<std::string, int64_t>>& names_and_most) {
  for (const auto& [name, most] : names_and_most)
    if (const int64_t number = settings.number(name); number < 1 || number > most)
      return Error{Errc::kInvalid, fmt::format("the setting {} is {}: want 1 to {}", name, number, most)};
  return {};
}

int command_failed(const std::string& command, const Error& error) {
  fmt::print(stderr, "{}: {}\n", command, error.what);
  if (!error.hint.empty()) fmt::print(stderr, "  {}\n", error.hint);
  return 1;
}

int migrate_command(const Settings& settings, const std::vector<std::string>& arguments) {
  if (!arguments.empty())
    return command_failed("migrate", {Errc::kInvalid, "it takes no arguments, got '" + arguments[0] + "'"});
  const auto ran = migrate_all(settings);
  if (!ran.ok()) return command_failed("migrate", ran.error());
  const std::string& database = settings.text("postgres.database");
  for (const std::string& name : *ran) fmt::print("{}: {}\n", database, name);
  if (ran->empty()) fmt::print("{}: up to date\n", database);
  return 0;
}

}  // namespace aimicro
