#include "datastore/postgres/sql.h"

#include <algorithm>

#include "datastore/postgres/libpq_support.h"
#include "fmt/format.h"

namespace daruma::postgres {

namespace {

// For messages: a statement's first line, cut.
std::string shown(const std::string& sql) {
  constexpr size_t kShown = 80;
  const std::string line = sql.substr(0, sql.find('\n'));
  return line.size() <= kShown ? line : line.substr(0, kShown) + "…";
}

class LibpqSql final : public SqlConnection {
 public:
  LibpqSql(std::unique_ptr<Link> link, Duration query_timeout)
      : link_(std::move(link)), query_timeout_(query_timeout) {}

  Result<std::vector<SqlRow>> query(const std::string& sql,
                                    const std::vector<std::string>& parameters) override {
    DR_TRY(const ResultHandle result,
           link_->run(sql, fmt::format("SQL \"{}\"", shown(sql)), query_timeout_, parameters));
    std::vector<SqlRow> rows(static_cast<size_t>(PQntuples(result.get())));
    for (int row = 0; row < PQntuples(result.get()); ++row) {
      for (int column = 0; column < PQnfields(result.get()); ++column) {
        rows[static_cast<size_t>(row)].push_back(value(result.get(), row, column));
      }
    }
    return rows;
  }

  const std::string& last_warning() const override { return link_->warning(); }

 private:
  static std::optional<std::string> value(const PGresult* result, int row, int column) {
    if (PQgetisnull(result, row, column)) return std::nullopt;
    return std::string(PQgetvalue(result, row, column),
                       static_cast<size_t>(PQgetlength(result, row, column)));
  }

  std::unique_ptr<Link> link_;
  Duration query_timeout_;
};

}  // namespace

Result<std::unique_ptr<SqlConnection>> connect_sql(const ConnectionSettings& settings, Clock& clock,
                                                   Deadline deadline, Duration query_timeout) {
  DR_TRY(std::unique_ptr<Link> link, Link::connect({settings, "daruma", false}, clock, deadline));
  std::unique_ptr<SqlConnection> connection = std::make_unique<LibpqSql>(std::move(link), query_timeout);
  return connection;
}

}  // namespace daruma::postgres
