#include <mutex>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/cut_off_runs.h"
#include "cli/json.h"
#include "cli/session.h"

namespace daruma {
namespace {

// One line at a time, whichever thread has something to say.
class Teller {
 public:
  explicit Teller(App& app) : app_(app) {}

  void say(bool alarm, std::string_view kind, const std::string& name, const std::string& text) {
    const std::lock_guard one_at_a_time(saying_);
    if (app_.json) {
      Json line = Json::object();
      line.set("at", app_.clock.now()).set("alarm", alarm).set(kind, name).set("text", text);
      app_.out.write(line.compact() + "\n");
    } else {
      app_.out.write(fmt::format("{} {} {}: {}\n", to_rfc3339(app_.clock.now()),
                                 alarm ? paint(app_.out, Colour::kRed, "ALARM") : "     ", name, text));
    }
    app_.out.flush();
  }

 private:
  App& app_;
  std::mutex saying_;
};

Status serve(App& app) {
  DR_TRY(const Session session, open_session(app));
  DR_TRY(StateDirectory state, open_state(app));
  DR_TRY(const auto datastores, chosen_datastores(app, {}));
  ProtectionOptions options;
  options.workers = worker_count();
  for (const DatastoreConfig* datastore : datastores) {
    DR_TRY(ProtectedDatastore target, protected_datastore(app, *datastore));
    options.datastores.push_back(std::move(target));
  }
  Teller teller(app);
  options.on_message = [&](const ProtectionMessage& message) {
    teller.say(message.alarm, "datastore", message.datastore, message.text);
  };
  const CutOffRuns runs(app, [&](bool alarm, const std::string& run, const std::string& text) {
    teller.say(alarm, "run", run, text);
  });
  return protect(*session.repository, state, app.clock, options, app.stop);
}

}  // namespace

int run_serve(App& app, const Invocation&) {
  const Status done = serve(app);
  return done.ok() ? static_cast<int>(kDone) : report_error(app, done.error());
}

}  // namespace daruma
