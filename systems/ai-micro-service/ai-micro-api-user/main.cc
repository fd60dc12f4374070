// user-service: the user API of ai-micro-service (requirement A21).

#include <fmt/format.h>

#include "ai-micro-api-user/user_service.h"
#include "library/common.h"
#include "library/database.h"
#include "library/people.h"

namespace aimicro {
namespace {

using daruma::Result;
using daruma::service::PostgresSession;
using daruma::service::Settings;

Result<size_t> add_profiles(const Settings& settings) {
  DR_TRY(auto session, open_session(settings));
  size_t added = 0;
  for (const Person& person : people()) {
    DR_TRY(const auto rows,
           session.run("INSERT INTO profiles (user_id, display_name, organisation, bio, language, time_zone) "
                       "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING 1",
                       {id_of(person), person.name, person.organisation, person.bio, person.language,
                        person.time_zone}));
    added += rows.size();
  }
  return added;
}

int seed_command(const Settings& settings, const std::vector<std::string>&) {
  const auto added = add_profiles(settings);
  if (!added.ok()) return command_failed("seed", added.error());
  fmt::print("apidb: {} of {} example profiles added\n", *added, people().size());
  return 0;
}

daruma::service::Program user_program() {
  daruma::service::Program program;
  program.name = "user-service";
  program.version = kVersion;
  program.summary = "the user API of ai-micro-service: profiles";
  program.prefix = "USER_SERVICE";
  program.port = 8001;
  program.settings = user_settings();
  program.commands = {
      {"migrate", "make role, database and tables, or bring them up to date", &migrate_command},
      {"seed", "add example profiles", &seed_command},
  };
  program.make = [](daruma::service::Worker& worker) { return std::make_unique<UserService>(worker); };
  return program;
}

}  // namespace
}  // namespace aimicro

int main(int argc, char** argv) { return daruma::service::run_program(aimicro::user_program(), argc, argv); }
