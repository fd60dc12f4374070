// support/postgres_steps.h: steps of the family postgres.* on a real server, carried out as the runner does
// it.
//
// Threads: one.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "os/random.h"
#include "run/step_type.h"
#include "support/postgres_server.h"

namespace daruma::run {

class StepWorld : public testing::Test {
 protected:
  // The datastore `databases` is this server's.
  void use(const PostgresServer& server) {
    config_.file = scratch_.path() / "daruma.yaml";
    DatastoreConfig datastore;
    datastore.name = "databases";
    datastore.connection.host = server.settings().host;
    datastore.connection.port = server.settings().port;
    datastore.connection.user = "postgres";
    datastore.connection.dbname = "postgres";
    datastore.data_directory = server.data();
    config_.datastores = {datastore};
  }

  // Users in authdb and profiles in apidb.
  static void fill(PostgresServer& server) {
    server.sql("CREATE ROLE auth LOGIN");
    for (const char* name : {"authdb", "apidb"}) server.sql(fmt::format("CREATE DATABASE {}", name));
    server.sql("CREATE TABLE users AS SELECT n AS id, 'user ' || n AS name FROM generate_series(1, 3) n",
               "authdb");
    server.sql("ALTER TABLE users OWNER TO auth", "authdb");
    server.sql("CREATE TABLE profiles AS SELECT n AS id FROM generate_series(1, 20000) n", "apidb");
    server.sql("CREATE INDEX ON profiles (id)", "apidb");
  }

  StepContext context(std::string_view type, Value::Map with) {
    const StepType* found = find_step_type(type);
    DR_CHECK(found != nullptr);
    with.try_emplace("datastore", "databases");
    for (const InputRow& row : found->inputs)
      if (!row.standard.empty() && !with.contains(row.name)) with[std::string(row.name)] = standard_of(row);
    StepContext context{
        .config = config_,
        .fs = *fs_,
        .clock = *clock_,
        .processes = *processes_,
        .runtime_of = [](const ServiceConfig&) { return nullptr; },
        .run = "run-1",
        .step = std::string(type),
        .directory = scratch_.path() / fmt::format("attempt-{}", ++attempts_),
        .run_directory = scratch_.path(),
        .with = std::move(with),
        .deadline = clock_->after(60s),
        .stop = {},
        .secret = [this](const SecretReference& reference) { return read_secret(*fs_, reference); }};
    DR_CHECK(fs_->create_dir(context.directory).ok());
    return context;
  }

  Result<Value> act(std::string_view type, Value::Map with) {
    StepContext one = context(type, std::move(with));
    const StepType& step = *find_step_type(type);
    if (step.prepare != nullptr) {
      DR_TRY(one.recorded, step.prepare(one));
      recorded_ = one.recorded;
    }
    return step.act(one);
  }

  Value must(std::string_view type, Value::Map with) {
    auto outputs = act(type, std::move(with));
    EXPECT_TRUE(outputs.ok()) << type << ": " << (outputs.ok() ? "" : outputs.error().what);
    return outputs.ok() ? *outputs : Value();
  }

  // The message.
  std::string refused(std::string_view type, Value::Map with) {
    const auto outputs = act(type, std::move(with));
    EXPECT_FALSE(outputs.ok()) << type << " did not fail";
    return outputs.ok() ? "" : outputs.error().what;
  }

  // Of the act() last done.
  void must_undo(std::string_view type, Value::Map with) {
    StepContext back = context(type, std::move(with));
    back.recorded = recorded_;
    const Status undone = find_step_type(type)->undo(back);
    EXPECT_TRUE(undone.ok()) << type << ": " << (undone.ok() ? "" : undone.error().what);
  }

  std::unique_ptr<postgres::SqlConnection> connect(const PostgresServer& server, const std::string& dbname) {
    auto settings = server.settings();
    settings.dbname = dbname;
    return *postgres::connect_sql(settings, *clock_, clock_->after(60s));
  }

  ScratchDir scratch_;
  std::unique_ptr<FileSystem> fs_ = real_file_system();
  std::unique_ptr<Clock> clock_ = real_clock();
  std::unique_ptr<ProcessRunner> processes_ = real_processes(*clock_);
  Config config_;
  Value recorded_;

 private:
  static Value standard_of(const InputRow& row) {
    const std::string text(row.standard);
    if (row.kind == InputRow::Kind::kInteger) return std::stoll(text);
    if (row.kind == InputRow::Kind::kBoolean) return text == "true";
    return text;
  }

  int attempts_ = 0;
};

}  // namespace daruma::run
