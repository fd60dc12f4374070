#include "probe/postgres.h"

namespace daruma::probe {

postgres::ConnectionSettings settings_of(const ConnectionConfig& connection, const std::string& password) {
  postgres::ConnectionSettings settings;
  settings.host = connection.host;
  if (connection.port != 0) settings.port = connection.port;
  settings.user = connection.user;
  if (!connection.dbname.empty()) settings.dbname = connection.dbname;
  settings.sslmode = connection.sslmode;
  settings.password = password;
  return settings;
}

Result<Duration> ask_postgres(const ConnectionConfig& connection, const std::string& password, Clock& clock,
                              Deadline deadline) {
  const MonoInstant begin = clock.mono();
  const Duration left = deadline.left(begin);
  if (left.count() <= 0) return Error{Errc::kCancelled, "PostgreSQL: no time is left"};
  DR_TRY(const auto sql, postgres::connect_sql(settings_of(connection, password), clock, deadline, left));
  DR_OK(sql->query("SELECT 1"));
  return clock.mono() - begin;
}

}  // namespace daruma::probe
