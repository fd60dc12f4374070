#include <fmt/format.h>

#include "base/shell_word.h"
#include "base/size.h"
#include "os/files.h"
#include "run/steps/inputs.h"
#include "run/steps/postgres_database.h"
#include "run/steps/postgres_family.h"
#include "runtime/docker_api.h"

namespace daruma::run {
namespace {

// Docker cannot rename a volume. So the damaged one keeps its name, and compose is told another for the
// next container, in the file that it reads by itself beside docker-compose.yml: whoever types `docker
// compose up` gets the new one as well.

constexpr std::string_view kFile = "docker-compose.override.yml";
constexpr std::string_view kMark = "# Written by Daruma";

struct Place {
  std::string container, volume, key, fresh;
  Path folder;
  std::string before;  // the file's text; "" when there was none
  std::string
      version;  // the line that the compose file begins with, where it has one: both must say the same

  Path file() const { return folder / kFile; }
  std::string text() const {
    return fmt::format("{}: the data set aside is in the volume {}.\n{}volumes:\n  {}:\n    name: {}\n",
                       kMark, volume, version, key, fresh);
  }
};

Result<const ServiceConfig*> service_of(const StepContext& context) {
  DR_TRY(const DatastoreConfig* datastore, datastore_input(context, DatastoreKind::kPostgres));
  const ServiceConfig* service = context.config.service(datastore->service);
  if (service != nullptr && service->runtime == Runtime::kDocker) return service;
  return Error{Errc::kInvalid,
               fmt::format("'{}' is not run by a service of the runtime docker", datastore->name),
               "name it as `service` of the datastore; postgres.set_aside is for directories"};
}

Result<Value> inspected(StepContext& context, const std::string& container) {
  runtime::DockerApi docker(context.clock);
  return docker.get(fmt::format("/containers/{}/json", runtime::url_escaped(container)), context.deadline);
}

// The volume that a container has at a path of its own; "" when it has none there.
std::string volume_at(const Value& container, const std::string& path) {
  const Value* mounts = container.find("Mounts");
  if (mounts == nullptr || !mounts->list()) return "";
  for (const Value& mount : *mounts->list())
    if (mount.text_at("Destination") == path && mount.text_at("Type") == "volume")
      return mount.text_at("Name");
  return "";
}

bool runs(const Value& container) {
  const Value* state = container.find("State");
  return state != nullptr && state->boolean_at("Running");
}

Status check_stopped(const std::string& name, const Value& container) {
  if (!runs(container)) return {};
  return Error{Errc::kRefused, fmt::format("container {} runs", name), "stop it first; nothing was touched"};
}

Result<std::string> file_text(FileSystem& fs, const Path& file) {
  const auto text = read_file(fs, file, kMiB);
  if (text.is(Errc::kNotFound)) return std::string();
  DR_OK(text);
  return std::string(as_text(*text));
}

Status check_ours(const Place& place) {
  if (place.before.empty() || place.before.starts_with(kMark)) return {};
  return Error{
      Errc::kRefused, fmt::format("{} is there, and not Daruma's", place.file().string()),
      "nothing was touched; move what it says into docker-compose.yml, or set the volume aside by hand"};
}

// The name of the volume inside the compose file, where compose has made it.
Result<std::string> key_of(StepContext& context, const std::string& volume) {
  runtime::DockerApi docker(context.clock);
  DR_TRY(const Value found, docker.get("/volumes/" + runtime::url_escaped(volume), context.deadline));
  const Value* labels = found.find("Labels");
  return labels ? labels->text_at("com.docker.compose.volume", volume) : volume;
}

Result<std::string> version_line(FileSystem& fs, const Path& folder) {
  for (const char* name : {"docker-compose.yml", "docker-compose.yaml", "compose.yaml", "compose.yml"}) {
    DR_TRY(const std::string text, file_text(fs, folder / name));
    for (size_t at = 0; at < text.size(); at = std::min(text.find('\n', at), text.size()) + 1)
      if (std::string_view(text).substr(at).starts_with("version:")) {
        const size_t end = std::min(text.find('\n', at), text.size());
        return text.substr(at, end - at) + "\n";
      }
  }
  return std::string();
}

Result<Place> look(StepContext& context) {
  DR_TRY(const ServiceConfig* service, service_of(context));
  Place place;
  place.container = service->called.empty() ? service->name : service->called;
  DR_TRY(const Value container, inspected(context, place.container));
  place.volume = volume_at(container, text_input(context, "mount"));
  if (place.volume.empty())
    return Error{
        Errc::kNotFound,
        fmt::format("container {} has no volume at {}", place.container, text_input(context, "mount")),
        "a folder of this host is set aside by postgres.set_aside"};
  DR_TRY(place.key, key_of(context, place.volume));
  place.folder = service->directory;
  if (place.folder.empty())
    return Error{Errc::kInvalid, fmt::format("nobody says where the compose file of '{}' is", service->name),
                 "set `directory` of the service"};
  place.fresh = fmt::format("{}_{}", place.key, digits_of(context.clock.now()));
  DR_TRY(place.before, file_text(context.fs, place.file()));
  DR_TRY(place.version, version_line(context.fs, place.folder));
  return place;
}

Value to_value(const Place& place) {
  return Value::Map{{"container", place.container},   {"volume", place.volume}, {"key", place.key},
                    {"fresh", place.fresh},           {"before", place.before}, {"version", place.version},
                    {"folder", place.folder.string()}};
}

Place place_in(const Value& value) {
  return {value.text_at("container"), value.text_at("volume"), value.text_at("key"),
          value.text_at("fresh"),     value.text_at("folder"), value.text_at("before"),
          value.text_at("version")};
}

Result<Value> prepare(StepContext& context) {
  // The container may be gone after the first attempt, and with it what it told.
  if (!context.recorded.is_null()) return context.recorded;
  DR_TRY(const Place place, look(context));
  DR_OK(check_ours(place));
  return to_value(place);
}

// What the next start makes anew. Never with its volumes.
Status remove_container(StepContext& context, const std::string& name) {
  const auto found = inspected(context, name);
  if (found.is(Errc::kNotFound)) return {};
  DR_OK(found);
  DR_OK(check_stopped(name, *found));
  DR_TRY(const ProcessExit ended, context.processes.run({.argv = {"docker", "rm", name}}, context.deadline));
  if (ended.code == 0) return {};
  return Error{Errc::kFailed, fmt::format("docker rm {} ended with {}: {}", name, ended.code, ended.output)};
}

Value outputs_of(const Place& place) {
  return Value::Map{{"aside", place.volume}, {"volume", place.fresh}, {"file", place.file().string()}};
}

Result<Value> act(StepContext& context) {
  DR_TRY(const Value recorded, prepare(context));
  const Place place = place_in(recorded);
  DR_OK(check_ours(place));
  if (const auto found = inspected(context, place.container); found.ok())
    DR_OK(check_stopped(place.container, *found));
  // First the file: a container made between the two already gets the new volume.
  DR_OK(replace_file(context.fs, place.file(), as_bytes(place.text()), 0644));
  DR_OK(remove_container(context, place.container));
  fmt::print("the volume {} is kept as it is; {} gives the next container {}\n", place.volume,
             place.file().string(), place.fresh);
  return outputs_of(place);
}

Result<Happened> reconcile(StepContext& context) {
  if (context.recorded.is_null()) return Happened::kNo;
  const Place place = place_in(context.recorded);
  DR_TRY(const std::string text, file_text(context.fs, place.file()));
  if (text != place.text()) return Happened::kNo;
  const auto found = inspected(context, place.container);
  if (!found.ok() && !found.is(Errc::kNotFound)) return found.error();
  if (found.ok() && volume_at(*found, text_input(context, "mount")) != place.fresh) return Happened::kNo;
  context.outputs = outputs_of(place);
  return Happened::kYes;
}

Status undo(StepContext& context) {
  if (context.recorded.is_null()) return {};  // it never began
  const Place place = place_in(context.recorded);
  DR_TRY(const std::string text, file_text(context.fs, place.file()));
  if (text != place.text()) return {};
  DR_OK(remove_container(context, place.container));
  if (place.before.empty()) {
    DR_OK(context.fs.remove_file(place.file()));
    DR_OK(context.fs.sync_dir(place.folder));
  } else {
    DR_OK(replace_file(context.fs, place.file(), as_bytes(place.before), 0644));
  }
  fmt::print("the next container has {} again; {} is kept, if it was made\n", place.volume, place.fresh);
  return {};
}

std::vector<std::string> by_hand(const StepContext& context) {
  const auto service = service_of(context);
  const std::string folder = service.ok() && !(*service)->directory.empty()
                                 ? shell_word((*service)->directory.string())
                                 : "FOLDER_OF_THE_COMPOSE_FILE";
  return {
      "cd " + folder, "docker compose down    # without --volumes",
      fmt::format(
          "printf 'volumes:\\n  postgres_data:\\n    name: postgres_data_%s\\n' \"$(date -u +%Y%m%d%H%M%S)\" "
          "> {}",
          kFile)};
}

Result<Preview> preview(StepContext& context) {
  DR_TRY(const Place place, look(context));
  Preview preview{{fmt::format("keep the volume {} and give the next container of {} a new one, by {}",
                               place.volume, place.container, place.file().string()),
                   fmt::format("remove the stopped container {}, without its volumes", place.container)},
                  by_hand(context)};
  if (const Status ours = check_ours(place); !ours.ok())
    preview.would.push_back("now it would be refused: " + ours.error().what);
  return preview;
}

constexpr InputRow kInputs[] = {
    kPostgresDatastore,
    {.name = "mount", .standard = "/var/lib/postgresql/data", .help = "where the container has its data"}};
constexpr std::string_view kOutputs[] = {"aside", "volume", "file"};

}  // namespace

StepType postgres_set_volume_aside_step() {
  return {.name = "postgres.set_volume_aside",
          .summary = "keeps the volume of a stopped container as it is, and gives the next one a new volume",
          .effect = Effect::kChange,
          .after_crash = AfterCrash::kReconcile,
          .inputs = kInputs,
          .outputs = kOutputs,
          .needs_source = true,
          .prepare = prepare,
          .act = act,
          .preview = preview,
          .reconcile = reconcile,
          .undo = undo,
          .by_hand = by_hand};
}

}  // namespace daruma::run
