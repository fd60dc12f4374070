#include <fmt/format.h>

#include <utility>

#include "cli/commands.h"
#include "cli/session.h"
#include "datastore/postgres/wal_get.h"

namespace daruma {

int run_wal_get(App& app, const Invocation& invocation) {
  postgres::WalGetRequest request;
  request.datastore = *invocation.value("--datastore");
  request.file = invocation.arguments.at(0);
  request.destination = invocation.arguments.at(1);
  if (const auto until = invocation.value("--until")) {
    const auto lsn = postgres::parse_lsn(*until);
    if (!lsn.ok()) {
      report_error(app, lsn.error());
      return static_cast<int>(postgres::WalGetExit::kStop);
    }
    request.until = *lsn;
  }
  Session session;
  const auto open = [&]() -> Result<std::unique_ptr<Repository>> {
    DR_TRY(session, open_session(app));
    return std::move(session.repository);
  };
  std::string said;  // every try may fail for the same reason
  const auto explain = [&](const Error& error) {
    if (std::exchange(said, error.what) == error.what) return;
    app.err.write(fmt::format("daruma wal-get {}: {}\n", request.file, error.what));
    if (!error.hint.empty()) app.err.write(fmt::format("  hint: {}\n", error.hint));
  };
  return static_cast<int>(postgres::wal_get(app.fs, app.clock, request, open, explain));
}

}  // namespace daruma
