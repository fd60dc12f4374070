#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/json.h"
#include "cli/session.h"

namespace daruma {
namespace {

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
  options.on_message = [&](const ProtectionMessage& message) {
    if (app.json) {
      Json line = Json::object();
      line.set("at", app.clock.now())
          .set("alarm", message.alarm)
          .set("datastore", message.datastore)
          .set("text", message.text);
      app.out.write(line.compact() + "\n");
    } else {
      app.out.write(fmt::format("{} {} {}: {}\n", to_rfc3339(app.clock.now()),
                                message.alarm ? paint(app.out, Colour::kRed, "ALARM") : "     ",
                                message.datastore, message.text));
    }
    app.out.flush();
  };
  return protect(*session.repository, state, app.clock, options, app.stop);
}

}  // namespace

int run_serve(App& app, const Invocation&) {
  const Status done = serve(app);
  return done.ok() ? static_cast<int>(kDone) : report_error(app, done.error());
}

}  // namespace daruma
