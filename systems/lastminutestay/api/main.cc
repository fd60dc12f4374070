// lastminutestay-api: the hotel-booking backend LastMinuteStay.
#include "lastminutestay/api/api_service.h"
#include "lastminutestay/api/commands.h"
#include "lastminutestay/api/settings.h"

int main(int argc, char** argv) {
  daruma::service::Program program;
  program.name = "lastminutestay-api";
  program.version = "1.0.0";
  program.summary = "LastMinuteStay: free hotel rooms for tonight, searched and booked";
  program.prefix = lastminutestay::kPrefix;
  program.port = 3000;
  program.settings = lastminutestay::settings_table();
  program.commands = lastminutestay::commands();
  program.make = &lastminutestay::make_api_service;
  return daruma::service::run_program(program, argc, argv);
}
