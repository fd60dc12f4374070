#include "lastminutestay/api/commands.h"

#include <fmt/format.h>

#include <charconv>
#include <map>

#include "lastminutestay/api/settings.h"
#include "lastminutestay/database/load.h"
#include "service/migrations.h"
#include "service/token.h"

namespace lastminutestay {
namespace {

using namespace std::chrono_literals;
using daruma::Errc;
using daruma::Error;
using daruma::Result;
using daruma::Status;
using daruma::service::Settings;

using Arguments = std::vector<std::string>;

// "--hotels 2000 --replace": names with what follows them; a switch has no value. kInvalid: an unknown
// name, a name without value.
Result<std::map<std::string, std::string>> options_of(const Arguments& arguments, const Arguments& with_value,
                                                      const Arguments& switches) {
  std::map<std::string, std::string> options;
  const auto among = [](const Arguments& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (among(switches, arguments[i])) {
      options[arguments[i]] = "on";
    } else if (!among(with_value, arguments[i])) {
      return Error{Errc::kInvalid, fmt::format("'{}' is not an option of this command", arguments[i])};
    } else if (i + 1 == arguments.size()) {
      return Error{Errc::kInvalid, fmt::format("{} wants a value", arguments[i])};
    } else {
      options[arguments[i]] = arguments[i + 1];
      ++i;
    }
  }
  return options;
}

Result<uint64_t> number_of(const std::string& name, const std::string& text, uint64_t most) {
  uint64_t number = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (wrong == std::errc{} && end == text.data() + text.size() && number <= most) return number;
  return Error{Errc::kInvalid, fmt::format("{} '{}': want a number up to {}", name, text, most)};
}

int exit_code(const char* command, const Status& status) {
  if (status.ok()) return 0;
  fmt::print(stderr, "lastminutestay-api {}: {}\n", command, status.error().what);
  if (!status.error().hint.empty()) fmt::print(stderr, "  {}\n", status.error().hint);
  return status.is(Errc::kInvalid) ? 2 : 1;
}

Status migrate_schema(const Settings& settings, const Arguments& arguments) {
  DR_OK(options_of(arguments, {}, {}));
  DR_TRY(auto session, daruma::service::PostgresSession::connect(postgres_settings(settings)));
  const auto fs = daruma::real_file_system();
  DR_TRY(const auto ran, daruma::service::migrate(session, *fs, settings.path("migrations")));
  for (const std::string& name : ran) fmt::print("migrated {}\n", name);
  if (ran.empty()) fmt::print("the schema is up to date\n");
  return {};
}

Result<DatasetPlan> plan_of(const Settings& settings, std::map<std::string, std::string>& options) {
  DatasetPlan plan;
  DR_TRY(const auto pinned, business_date(settings));
  plan.business_date = pinned ? *pinned : day_in_japan(daruma::real_clock()->now());
  if (options.contains("--hotels")) {
    DR_TRY(const uint64_t hotels, number_of("--hotels", options["--hotels"], 100'000));
    plan.hotels = static_cast<uint32_t>(std::max<uint64_t>(1, hotels));
  }
  if (options.contains("--seed")) {
    DR_TRY(plan.seed, number_of("--seed", options["--seed"], UINT64_MAX));
  }
  return plan;
}

Status generate(const Settings& settings, const Arguments& arguments) {
  DR_TRY(auto options, options_of(arguments, {"--hotels", "--seed"}, {"--replace"}));
  DR_TRY(const DatasetPlan plan, plan_of(settings, options));
  if (options.contains("--replace") && settings.text("business_date").empty())
    return Error{Errc::kRefused,
                 "--replace removes every booking, and no business_date is set: this may be production",
                 "set business_date, as staging has it, if this is none"};
  DR_TRY(auto session, daruma::service::PostgresSession::connect(postgres_settings(settings)));
  DR_TRY(const Loaded loaded, load_dataset(session, plan, options.contains("--replace")));
  fmt::print("{} hotels, {} rooms, {} customers, {} bookings around {}\n", loaded.hotels, loaded.rooms,
             loaded.customers, loaded.bookings, to_text(plan.business_date));
  return {};
}

Status print_token(const Settings& settings, const Arguments& arguments) {
  DR_TRY(auto options, options_of(arguments, {"--subject", "--role", "--for"}, {}));
  DR_TRY(const auto key, daruma::service::TokenKey::shared_secret(settings.secret("token.secret")));
  daruma::Duration valid = 24h;
  if (options.contains("--for")) {
    DR_TRY(valid, daruma::parse_duration(options["--for"]));
  }
  daruma::service::Claims claims;
  claims.subject = options.contains("--subject") ? options["--subject"] : "test-customer";
  claims.issuer = settings.text("token.issuer");
  if (options.contains("--role")) claims.roles.push_back(options["--role"]);
  claims.issued = daruma::real_clock()->now();
  claims.expires = claims.issued + valid;
  claims.id = daruma::real_random()->id<daruma::Id<struct TokenTag>>().hex();
  DR_TRY(const std::string token, key->sign(claims));
  fmt::print("{}\n", token);
  return {};
}

}  // namespace

std::vector<daruma::service::Command> commands() {
  const auto command = [](const char* name, const char* help,
                          Status (*run)(const Settings&, const Arguments&)) {
    return daruma::service::Command{name, help,
                                    [name, run](const Settings& settings, const Arguments& arguments) {
                                      return exit_code(name, run(settings, arguments));
                                    }};
  };
  return {
      command("migrate", "brings the database's schema up to date", &migrate_schema),
      command("generate", "fills the database with made-up hotels: [--hotels N] [--seed N] [--replace]",
              &generate),
      command("token", "prints a bearer token: [--subject NAME] [--role operator] [--for 24h]", &print_token),
  };
}

}  // namespace lastminutestay
