#include "cli/run_line.h"

#include <fmt/format.h>

#include "cli/help.h"
#include "config/settings.h"

namespace daruma {
namespace {

// The repository of --repository stands in the place of all configured copies.
Status use_repository(Config& config, const std::string& url) {
  if (!settings::is_copy_url(url))
    return Error{Errc::kInvalid, fmt::format("--repository: '{}' is not the URL of a copy", url),
                 "write file:///DIRECTORY or s3://BUCKET/PREFIX"};
  config.repository.copies = {CopyConfig{.name = "repository", .url = url}};
  for (DatastoreConfig& datastore : config.datastores)
    if (datastore.capture) datastore.capture->acknowledge.copies = {"repository"};
  return {};
}

}  // namespace

Result<Config> config_for(App& app, const Invocation& invocation) {
  const auto file = invocation.path("-c");
  const auto url = invocation.value("--repository");
  const auto key = invocation.path("--key");
  Config config;
  config.state = app.working_directory / ".daruma";
  if (file || !url) {
    DR_TRY(config, load_config(app.fs, app.working_directory, file));
  } else if (!key) {
    return Error{Errc::kInvalid, "--repository without --key", "name its key file with --key FILE"};
  }
  if (url) DR_OK(use_repository(config, *url));
  if (key) config.repository.key = {.file = (app.working_directory / *key).lexically_normal()};
  return config;
}

int run_line(App& app, const std::vector<std::string>& arguments) {
  if (arguments.empty()) {
    app.out.write(overview(app.out));
    return kUsage;
  }
  const ParsedLine line = parse_line(arguments);
  app.json = line.json;
  const auto unusable = [&](const Error& error) {
    const int code = report_error(app, error);
    return line.command && line.command->exit_when_unusable != 0 ? line.command->exit_when_unusable : code;
  };
  if (!line.invocation.ok()) return unusable(line.invocation.error());
  const CommandRow& command = *line.invocation->command;
  DR_CHECK(command.run);  // not a static_assert: to g++ 12 with UBSan no function's address is a constant
  if (command.config == ConfigUse::kRead) {
    Result<Config> config = config_for(app, *line.invocation);
    if (!config.ok()) return unusable(config.error());
    app.config = *std::move(config);
  }
  return command.run(app, *line.invocation);
}

}  // namespace daruma
