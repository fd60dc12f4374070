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
    std::vector<SqlRow> rows;
    for (int row = 0; row < PQntuples(result.get()); ++row) rows.push_back(row_of(result.get(), row));
    return rows;
  }

  Result<SqlTable> table(const std::string& sql, const std::vector<std::string>& parameters,
                         size_t most) override {
    const std::string doing = fmt::format("SQL \"{}\"", shown(sql));
    const Deadline deadline = link_->clock().after(query_timeout_);
    if (Status sent = link_->send(sql, parameters); !sent.ok()) return std::move(sent).error().in(doing);
    DR_OK(link_->one_row_at_a_time(doing));
    SqlTable out;
    while (!out.more) {
      auto next = link_->next_result(deadline, doing);
      if (next.is(Errc::kCancelled))
        link_->abandon(fmt::format("{} was given up after {}", doing, human_duration(query_timeout_)));
      if (!next.ok())
        static_cast<void>(link_->drain(doing, query_timeout_));  // the next command comes after it
      DR_OK(next);
      if (!*next) return out;
      add(**next, most, out);
    }
    link_->abandon(fmt::format("{} was left after {} rows", doing, most));
    return out;
  }

  Result<std::string> quoted(const std::string& name) override { return link_->quoted(name); }

  const std::string& last_warning() const override { return link_->warning(); }

 private:
  static void add(const PGresult& result, size_t most, SqlTable& out) {
    if (out.columns.empty())
      for (int column = 0; column < PQnfields(&result); ++column)
        out.columns.emplace_back(PQfname(&result, column));
    for (int row = 0; row < PQntuples(&result); ++row) {
      if (out.rows.size() < most)
        out.rows.push_back(row_of(&result, row));
      else
        out.more = true;
    }
  }

  static SqlRow row_of(const PGresult* result, int row) {
    SqlRow out;
    for (int column = 0; column < PQnfields(result); ++column) out.push_back(value(result, row, column));
    return out;
  }

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
