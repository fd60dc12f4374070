// auth-service: the auth API of ai-micro-service (requirement A20).

#include <fmt/format.h>

#include "ai-micro-api-auth/auth_service.h"
#include "library/common.h"
#include "library/database.h"
#include "library/people.h"

namespace aimicro {
namespace {

using daruma::Result;
using daruma::service::PostgresSession;
using daruma::service::Settings;

// "{admin,user}"
std::string roles_of(const Person& person) { return person.admin ? "{admin,user}" : "{user}"; }

std::string password_for_examples(const Settings& settings) {
  if (!settings.secret("seed.password").empty()) return settings.secret("seed.password");
  return new_uuid(*daruma::real_random());
}

Result<size_t> add_people(const Settings& settings, const std::string& password) {
  DR_TRY(auto session, open_session(settings));
  size_t added = 0;
  for (const Person& person : people()) {
    DR_TRY(const auto rows,
           session.run("INSERT INTO users (id, email, password_hash, roles) VALUES ($1, $2, $3, $4) "
                       "ON CONFLICT DO NOTHING RETURNING 1",
                       {id_of(person), person.email, hash_password(password, password_cost(settings)),
                        roles_of(person)}));
    added += rows.size();
  }
  return added;
}

int seed_command(const Settings& settings, const std::vector<std::string>&) {
  const std::string password = password_for_examples(settings);
  const auto added = add_people(settings, password);
  if (!added.ok()) return command_failed("seed", added.error());
  fmt::print("authdb: {} of {} example accounts added\n", *added, people().size());
  if (*added > 0 && settings.secret("seed.password").empty())
    fmt::print("their password: {}\n  sign in as {} (admin) or {}\n", password, people()[0].email,
               people()[3].email);
  return 0;
}

int grant_command(const Settings& settings, const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments.size() > 2) {
    fmt::print(stderr, "grant: want an e-mail address and a role (admin when left out)\n");
    return 2;
  }
  const std::string role = arguments.size() == 2 ? arguments[1] : "admin";
  auto session = open_session(settings);
  if (!session.ok()) return command_failed("grant", session.error());
  const auto rows = session->run(
      "UPDATE users SET roles = ARRAY(SELECT DISTINCT unnest(roles || $2::text) ORDER BY 1), "
      "changed_at = now() WHERE email = lower($1) RETURNING email, array_to_string(roles, ', ')",
      {arguments[0], role});
  if (!rows.ok()) return command_failed("grant", rows.error());
  if (rows->empty())
    return command_failed("grant", {daruma::Errc::kNotFound, "no account has the address " + arguments[0]});
  fmt::print("{}: {}\n", *(*rows)[0][0], *(*rows)[0][1]);
  return 0;
}

daruma::service::Program auth_program() {
  daruma::service::Program program;
  program.name = "auth-service";
  program.version = kVersion;
  program.summary = "the auth API of ai-micro-service: register, log in, refresh, log out";
  program.prefix = "AUTH_SERVICE";
  program.port = 8002;
  program.settings = auth_settings();
  program.settings.push_back({"seed.password", daruma::service::SettingKind::kSecret, "",
                              "seed: the example accounts' password; made up and shown when left out"});
  program.commands = {
      {"migrate", "make role, database and tables, or bring them up to date", &migrate_command},
      {"seed", "add example accounts", &seed_command},
      {"grant", "EMAIL [ROLE]: give an account a role", &grant_command},
  };
  program.make = [](daruma::service::Worker& worker) { return std::make_unique<AuthService>(worker); };
  return program;
}

}  // namespace
}  // namespace aimicro

int main(int argc, char** argv) { return daruma::service::run_program(aimicro::auth_program(), argc, argv); }
