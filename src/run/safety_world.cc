#include "run/safety_world.h"

#include <algorithm>

#include <fmt/format.h>

#include "datastore/postgres/running_server.h"
#include "os/process_table.h"
#include "run/steps/postgres_database.h"
#include "run/steps/postgres_repository.h"
#include "run/steps/service_parts.h"
#include "run/worker.h"

namespace daruma::run {
namespace {

constexpr Duration kAnswerWithin = 10s;

class Looker {
 public:
  Looker(const RunnerWorld& world, const Config& config) : world_(world), config_(config) {}

  Status still_there(const Done& proof) const {
    const StepContext context = context_with(proof.with);
    if (const std::string file = proof.outputs.text_at("file"); proof.outputs.text_at("source") == "file")
      return same_file(file, proof.outputs.integer_at("bytes"));
    if (const std::string snapshot = proof.outputs.text_at("snapshot"); !snapshot.empty())
      return holds(context, snapshot);
    if (const std::string database = proof.outputs.text_at("database"); !database.empty())
      return has_database(context, database);
    return {};
  }

  std::optional<int> foreign_server(const DatastoreConfig& datastore, const ServiceConfig& service) const {
    const auto pid = postgres::running_postmaster(world_.fs, *datastore.data_directory);
    if (!pid) return std::nullopt;
    const StepContext context = context_with({});
    const auto status = context.runtime_of(service)->status(context.deadline);
    if (status.ok() && is_of(*pid, status->pids)) return std::nullopt;
    // It may have ended, and another begun, between the two looks.
    return postgres::running_postmaster(world_.fs, *datastore.data_directory) == pid ? pid : std::nullopt;
  }

  Result<std::string> receives_from(const Value::Map& with) const {
    const StepContext context = context_with(with);
    DR_TRY(auto session, PostgresSession::open(context, PostgresSession::May::kRead));
    DR_TRY(const auto found,
           session.ask("SELECT coalesce(sender_host, 'its primary') || coalesce(':' || sender_port, '') "
                       "FROM pg_stat_wal_receiver WHERE status = 'streaming'"));
    return found.rows.empty() ? std::string() : found.rows[0].at(0).value_or("its primary");
  }

  Result<std::string> still_up(const ServiceConfig& service) const {
    const StepContext context = context_with({});
    DR_TRY(const auto status, context.runtime_of(service)->status(context.deadline));
    const bool down = status.state == runtime::State::kStopped || status.state == runtime::State::kFailed;
    return down ? std::string() : describe(status);
  }

 private:
  StepContext context_with(Value::Map with) const {
    Assignment assignment;
    assignment.order.with = std::move(with);
    assignment.order.timeout = kAnswerWithin;
    StepContext context = context_for(world_, config_, assignment, config_.state, {});
    context.say = [](const std::string&) {};
    return context;
  }

  // The main processes of a service may have started the server as a child.
  static bool is_of(int pid, const std::vector<int>& mains) {
    const std::vector<ProcessInfo> all = all_processes();
    return std::ranges::any_of(mains, [&](int main) {
      const auto below = descendants_of(main, all);
      return main == pid ||
             std::ranges::any_of(below, [&](const ProcessInfo& each) { return each.id.pid == pid; });
    });
  }

  Status same_file(const Path& file, int64_t bytes) const {
    DR_TRY(const FileInfo now, world_.fs.info(file));
    if (static_cast<int64_t>(now.size) == bytes) return {};
    return Error{Errc::kCorrupt,
                 fmt::format("{} had {} bytes, and now has {}", file.string(), bytes, now.size)};
  }

  static Status holds(const StepContext& context, const std::string& snapshot) {
    DR_TRY(const Holdings holdings, holdings_of(context));
    for (const auto& each : holdings.catalog.snapshots)
      if (each.stored.commit.snapshot.hex() == snapshot) return {};
    return Error{Errc::kNotFound, fmt::format("the repository holds snapshot {} no more", snapshot)};
  }

  static Status has_database(const StepContext& context, const std::string& database) {
    DR_TRY(auto session, PostgresSession::open(context, PostgresSession::May::kRead));
    DR_TRY(const auto found, find_database(session, database));
    if (found) return {};
    return Error{Errc::kNotFound, fmt::format("there is no database {} any more", database)};
  }

  const RunnerWorld& world_;
  const Config& config_;
};

}  // namespace

SafetyWorld real_safety_world(const RunnerWorld& world, const Config& config) {
  const Looker looker(world, config);
  SafetyWorld out;
  out.config = &config;
  out.still_there = [looker](const Done& proof) { return looker.still_there(proof); };
  out.foreign_server = [looker](const DatastoreConfig& datastore, const ServiceConfig& service) {
    return looker.foreign_server(datastore, service);
  };
  out.receives_from = [looker](const Value::Map& with) { return looker.receives_from(with); };
  out.still_up = [looker](const ServiceConfig& service) { return looker.still_up(service); };
  return out;
}

}  // namespace daruma::run
