// library/database.h: what the three APIs have in common towards PostgreSQL: settings, pool, the `migrate`
// command.
//
// Each has a database and a role of its own: the role may read and write the tables, and nothing else.
// Threads: see service/postgres.h; the command is a program of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "service/postgres_session.h"
#include "service/program.h"

namespace aimicro {

// postgres.host, .port, .user, .password, .database, .connections, .admin_user, .admin_password; migrations.
std::vector<daruma::service::Setting> database_settings(const std::string& database, const std::string& user);

std::unique_ptr<daruma::service::PostgresPool> open_pool(daruma::service::Worker& worker);
// As the service's own role.
daruma::Result<daruma::service::PostgresSession> open_session(const daruma::service::Settings& settings);

// Makes role and database where they are missing, and brings the schema up to date, as `postgres.admin_user`.
// With an empty admin_user: only the schema, as the service's role, which must own it then.
int migrate_command(const daruma::service::Settings& settings, const std::vector<std::string>& arguments);

// kInvalid: a number setting of these names is outside 1 to `most`.
daruma::Status check_numbers(const daruma::service::Settings& settings,
                             const std::vector<std::pair<std::string, int64_t>>& names_and_most);

// Says an error on stderr as a command does; returns the exit code 1.
int command_failed(const std::string& command, const daruma::Error& error);

}  // namespace aimicro
