#include <fmt/format.h>

#include "base/size.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/session.h"
#include "os/files.h"
#include "storage/directory_store.h"

namespace daruma {
namespace {

struct Made {
  KeyFile key;
  bool new_key_file = false;
  Bytes passphrase_object;
};

KeyFile fresh_key(Random& random) {
  KeyFile key;
  key.repository = random.id<RepositoryId>();
  random.fill(key.master.writable());
  return key;
}

// The key of the repository to be: an existing key file is used, so that a copy can be made anew under it.
Result<Made> make_key(App& app) {
  const KeyConfig& config = app.config->repository.key;
  Made made;
  if (!config.passphrase_environment.empty()) {
    DR_TRY(const std::string passphrase, read_secret(app.fs, {.environment = config.passphrase_environment}));
    made.key = fresh_key(app.random);
    DR_TRY(made.passphrase_object, wrap_with_passphrase(made.key, passphrase, app.random));
    return made;
  }
  const auto text = read_file(app.fs, config.file, 64 * kKiB);
  if (text.ok()) {
    auto parsed = parse_key_file(as_text(*text));
    if (!parsed.ok()) return std::move(parsed).error().in(config.file.string());
    made.key = *std::move(parsed);
    return made;
  }
  if (!text.is(Errc::kNotFound)) return text.error();
  made.key = fresh_key(app.random);
  made.new_key_file = true;
  return made;
}

Status init(App& app, Made& made) {
  const CopyConfig& copy = app.config->repository.copies.front();
  if (app.config->repository.copies.size() != 1)
    return Error{Errc::kInvalid, "this version works with exactly one copy",
                 "leave one entry under repository.copies"};
  DR_TRY(const Path directory, directory_of(copy.url));
  DR_OK(create_dirs(app.fs, directory, 0700));
  DR_TRY(const auto store, open_directory_store(app.fs, app.random, directory));
  const auto there = store->head("repository");
  if (there.ok())
    return Error{Errc::kExists, fmt::format("there is a repository in {} already", copy.url),
                 "use it, or name another place"};
  DR_TRY(made, make_key(app));
  // The key is safe before anything is sealed with it.
  if (made.new_key_file) {
    const Path& file = app.config->repository.key.file;
    if (!file.parent_path().empty()) DR_OK(create_dirs(app.fs, file.parent_path()));
    DR_OK(replace_file(app.fs, file, as_bytes(print_key_file(made.key)), 0600));
  }
  return Repository::create({copy.name, store.get()}, made.key, app.clock, app.random,
                            made.passphrase_object);
}

}  // namespace

int run_init(App& app, const Invocation&) {
  Made made;
  const Status done = init(app, made);
  if (!done.ok()) return report_error(app, done.error());
  const CopyConfig& copy = app.config->repository.copies.front();
  const std::string key_file = app.config->repository.key.file.string();
  if (app.json) {
    app.out.write(Json::object()
                      .set("repository", made.key.repository.hex())
                      .set("copy", copy.url)
                      .set("key_file", key_file)
                      .pretty());
    return kDone;
  }
  app.out.write(fmt::format("repository {} is in {}\n", made.key.repository.hex().substr(0, 8), copy.url));
  if (made.new_key_file)
    app.out.write(
        fmt::format("its key is in {}\nkeep a copy of the key where the repository is not: without it "
                    "nothing can be read, by anybody\n",
                    key_file));
  return kDone;
}

}  // namespace daruma
