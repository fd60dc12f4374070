#include "support/daruma_program.h"

#include <signal.h>

#include <cstdio>
#include <filesystem>

#include "fmt/format.h"
#include "os/environment.h"
#include "os/files.h"

namespace daruma {

namespace {

constexpr Duration kPatience = 60s;
constexpr Duration kBetweenTries = 50ms;
constexpr Duration kCommandWithin = 5min;

}  // namespace

DarumaProgram::DarumaProgram(PostgresServer& server, const DarumaSetup& setup)
    : server_(server), program_(server.directory() / "daruma") {
  std::error_code error;
  std::filesystem::copy_file(DARUMA_PROGRAM, program_, error);
  if (error) fail(std::string("cannot copy ") + DARUMA_PROGRAM + ": " + error.message());
  configure(setup);
}

DarumaProgram::~DarumaProgram() {
  if (serving_) static_cast<void>(stop_serving());
}

std::string DarumaProgram::configuration(const PostgresServer& server, const DarumaSetup& setup) {
  const std::string directory = server.directory();
  const postgres::ConnectionSettings to = server.settings();
  std::string text = fmt::format(
      "state: {}\n"
      "repository:\n"
      "  key: {{file: \"{}\"}}\n"
      "  copies:\n"
      "    - {{name: here, url: \"file://{}\"}}\n"
      "datastores:\n"
      "  bookings:\n"
      "    kind: postgres\n"
      "    connection: {{host: \"{}\", port: {}, dbname: postgres, {}}}\n",
      setup.state, setup.key, (server.directory() / setup.repository).native(), to.host, to.port,
      setup.connection);
  if (setup.capture) text += "    capture: {slot: daruma, synchronous: true}\n";
  return text + setup.more;
}

void DarumaProgram::configure(const DarumaSetup& setup) {
  write_configuration(configuration(server_, setup));
}

void DarumaProgram::write_configuration(const std::string& yaml) {
  const Status written = replace_file(*fs_, directory() / "daruma.yaml", as_bytes(yaml), 0644);
  if (!written.ok()) fail(written.error().what);
}

Command DarumaProgram::command(const std::vector<std::string>& arguments) const {
  Command command{server_.as_server_user()};
  command.argv.push_back(program_);
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.working_directory = directory();
  return command;
}

ProcessExit DarumaProgram::run(const std::vector<std::string>& arguments) {
  auto ended = processes_->run(command(arguments), clock_->after(kCommandWithin));
  if (!ended.ok()) fail(ended.error().what);
  return *std::move(ended);
}

std::string DarumaProgram::must(const std::vector<std::string>& arguments) {
  ProcessExit ended = run(arguments);
  std::string typed;
  for (const std::string& argument : arguments) typed += " " + argument;
  if (ended.code != 0) fail(fmt::format("`daruma{}` ended with {}:\n{}", typed, ended.code, ended.output));
  return std::move(ended.output);
}

boost::json::value DarumaProgram::json(std::vector<std::string> arguments) {
  arguments.emplace_back("--json");
  const std::string text = must(arguments);
  boost::system::error_code bad;
  boost::json::value value = boost::json::parse(text, bad);
  if (bad) fail("not JSON: " + text);
  return value;
}

void DarumaProgram::start_serving() {
  DR_CHECK(!serving_);
  Command serve = command({"serve"});
  serve.output = directory() / "serve.log";
  auto started = processes_->start(serve);
  if (!started.ok()) fail(started.error().what);
  serving_ = *std::move(started);
}

void DarumaProgram::kill_serving() {
  DR_CHECK(serving_);
  static_cast<void>(serving_->signal(SIGKILL));
  if (!serving_->wait(clock_->after(kPatience)).ok()) fail("`daruma serve` survived SIGKILL");
  serving_.reset();
}

ProcessExit DarumaProgram::stop_serving() {
  DR_CHECK(serving_);
  static_cast<void>(serving_->signal(SIGTERM));
  auto ended = serving_->wait(clock_->after(kPatience));
  serving_.reset();
  if (!ended.ok()) fail("`daruma serve` does not stop");
  return *std::move(ended);
}

std::string DarumaProgram::serve_log() {
  const auto text = read_file(*fs_, directory() / "serve.log", 64 << 20);
  return text.ok() ? std::string(as_text(*text)) : text.error().what;
}

bool DarumaProgram::green() { return run({"status"}).code == 0; }

std::string DarumaProgram::status(const std::string& field) {
  const ProcessExit ended = run({"status", "--json"});
  boost::system::error_code bad;
  const boost::json::value all = boost::json::parse(ended.output, bad);
  if (bad || !all.is_array() || all.as_array().empty()) fail("not a status: " + ended.output);
  const boost::json::value* value = all.as_array()[0].as_object().if_contains(field);
  if (!value) fail("no '" + field + "' in the status: " + ended.output);
  return value->is_string() ? std::string(value->as_string()) : boost::json::serialize(*value);
}

void DarumaProgram::wait_for_green() {
  wait_until("green in `daruma status`", [this] { return green(); });
}

void DarumaProgram::make_synchronous() {
  wait_for_green();
  server_.sql("ALTER SYSTEM SET synchronous_standby_names = 'daruma'");
  server_.sql("SELECT pg_reload_conf()");
  wait_until("synchronous capture", [this] {
    return server_.value(
               "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'daruma' AND "
               "sync_state = 'sync'") == "1";
  });
  // Commits wait only once the checkpointer has read the new setting, as it does before each checkpoint; the
  // first of two may have begun without it.
  server_.sql("CHECKPOINT");
  server_.sql("CHECKPOINT");
}

void DarumaProgram::wait_until(const std::string& what, const std::function<bool()>& holds) {
  const Deadline deadline = clock_->after(kPatience);
  while (!holds()) {
    if (deadline.passed(clock_->mono())) fail(what + " did not come about within a minute");
    clock_->pause(kBetweenTries);
  }
}

void DarumaProgram::recover(const std::string& at, const std::vector<std::string>& options) {
  server_.set_data_aside(fmt::format("data.damaged-{}", ++set_aside_));
  std::vector<std::string> arguments = {"restore", "bookings", "--to", server_.data(), "--at", at};
  arguments.insert(arguments.end(), options.begin(), options.end());
  must(arguments);
  server_.start();
  server_.wait_for_writes();
}

void DarumaProgram::fail(const std::string& what) {
  std::fprintf(stderr, "DarumaProgram: %s\n-- daruma serve said:\n%s\n-- the server said:\n%s\n",
               what.c_str(), serve_log().c_str(), server_.log().c_str());
  serving_.reset();
  static_cast<void>(remove_tree(*fs_, directory()));
  std::abort();
}

}  // namespace daruma
