#include "run/steps/postgres_directory.h"

#include <fmt/format.h>

#include "base/shell_word.h"
#include "datastore/postgres/running_server.h"
#include "run/steps/inputs.h"
#include "run/steps/postgres_database.h"

namespace daruma::run {

Result<Path> data_directory(const StepContext& context) {
  if (input(context, "directory")) return path_input(context, "directory");
  DR_TRY(const DatastoreConfig* datastore, datastore_input(context, DatastoreKind::kPostgres));
  if (datastore->data_directory) return *datastore->data_directory;
  return Error{Errc::kInvalid, fmt::format("nobody says where the data of '{}' lies", datastore->name),
               "add data_directory to it in daruma.yaml, or give `directory`"};
}

std::string data_directory_word(const StepContext& context) {
  const auto directory = data_directory(context);
  return directory.ok() ? shell_word(directory->string()) : "DATA_DIRECTORY";
}

Status check_no_server(const StepContext& context, const Path& directory) {
  const auto pid = postgres::running_server(context.fs, directory);
  if (!pid) return {};
  return Error{Errc::kRefused,
               fmt::format("a PostgreSQL server (process {}) runs in {}", *pid, directory.string()),
               "stop it first; nothing was touched"};
}

Status rename_directory(FileSystem& fs, const Path& from, const Path& to) {
  auto renamed = fs.rename(from, to);
  if (!renamed.ok()) {
    Error error = std::move(renamed).error();
    error.hint = "a mount point cannot be renamed: set its content aside by hand";
    return error;
  }
  return fs.sync_dir(from.parent_path());
}

Status abandon_directory(StepContext& context, const Path& directory) {
  DR_OK(check_no_server(context, directory));
  const Path abandoned = directory.string() + ".abandoned-" + digits_of(context.clock.now());
  DR_OK(rename_directory(context.fs, directory, abandoned));
  fmt::print("{} is now {}\n", directory.string(), abandoned.string());
  return {};
}

}  // namespace daruma::run
