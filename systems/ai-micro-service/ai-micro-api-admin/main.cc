// admin-service: the admin API of ai-micro-service (requirement A21).

#include "ai-micro-api-admin/admin_service.h"
#include "ai-micro-api-admin/check.h"
#include "library/common.h"
#include "library/database.h"

namespace aimicro {
namespace {

daruma::service::Program admin_program() {
  daruma::service::Program program;
  program.name = "admin-service";
  program.version = kVersion;
  program.summary = "the admin API of ai-micro-service: documents";
  program.prefix = "ADMIN_SERVICE";
  program.port = 8003;
  program.settings = admin_settings();
  program.commands = {
      {"migrate", "make role, database and tables, or bring them up to date", &migrate_command},
      {"seed", "add example documents", &seed_command},
      {"check", "[--remove-litter]: compare every document with its file", &check_command},
  };
  program.make = [](daruma::service::Worker& worker) { return std::make_unique<AdminService>(worker); };
  return program;
}

}  // namespace
}  // namespace aimicro

int main(int argc, char** argv) { return daruma::service::run_program(aimicro::admin_program(), argc, argv); }
