#include "datastore/postgres/dump_restore.h"

#include <fmt/format.h>

#include "base/size.h"
#include "datastore/postgres/dump_text.h"
#include "os/files.h"

namespace daruma::postgres {
namespace {

constexpr size_t kLongestLine = 8 * kKiB;
constexpr size_t kMostComplaints = 1000;

// Reads psql's log as it grows.
class LogWatch {
 public:
  LogWatch(FileSystem& fs, const PlayOptions& options) : fs_(fs), options_(options) {}

  // kFailed: a complaint that is not allowed.
  Status look() {
    if (!file_) {
      auto opened = fs_.open_read(options_.log);
      if (opened.is(Errc::kNotFound)) return {};
      DR_TRY(file_, std::move(opened));
    }
    while (true) {
      DR_TRY(const size_t got, file_->read_at(at_, piece_));
      if (got == 0) return {};
      at_ += got;
      for (const char c : as_text(BytesView(piece_).first(got))) {
        if (c != '\n') {
          if (line_.size() < kLongestLine) line_ += c;
          continue;
        }
        DR_OK(judge());
        line_.clear();
      }
    }
  }

  std::vector<Complaint> take() { return std::move(complaints_); }

 private:
  Status judge() {
    auto complaint = parse_complaint(line_);
    if (!complaint) return {};
    if (!is_allowed(*complaint, options_.allowed))
      return Error{Errc::kFailed, "the server refused a part of the dump: " + to_text(*complaint),
                   fmt::format("psql's own words are in {}; what may be ignored is allowed with `allow`",
                               options_.log.string())};
    if (complaints_.size() < kMostComplaints) complaints_.push_back(*std::move(complaint));
    return {};
  }

  FileSystem& fs_;
  const PlayOptions& options_;
  std::unique_ptr<File> file_;
  uint64_t at_ = 0;
  Bytes piece_ = Bytes(64 * kKiB);
  std::string line_;
  std::vector<Complaint> complaints_;
};

std::vector<std::pair<std::string, std::string>> environment_of(const PlayOptions& options) {
  auto environment = libpq_environment(options.into);
  for (auto& [name, value] : environment)
    if (name == "PGAPPNAME") value = options.application_name;
  return environment;
}

// Waiting for each commit would gain nothing: the server writes everything down at the end of the restore,
// and a server that fell down is filled anew.
constexpr const char* kServerOptions = "-c lc_messages=C -c statement_timeout=0 -c synchronous_commit=off";

Result<Played> play_sql(FileSystem& fs, ProcessRunner& processes, const DumpFile& dump,
                        const PlayOptions& options) {
  Command psql{{"psql", "--no-psqlrc", "--no-password", "--quiet", "--set=VERBOSITY=verbose",
                "--output=/dev/null", "--file=-"}};
  psql.environment = environment_of(options);
  psql.environment.emplace_back("PGOPTIONS", kServerOptions);
  psql.output = options.log;
  psql.fed = true;
  DR_TRY(const auto text, DumpText::open(fs, dump.path));
  DR_TRY(const auto process, processes.start(psql));
  LogWatch watch(fs, options);
  DumpScan scan;
  Played played;
  while (true) {
    DR_TRY(const std::string_view piece, text->next());
    if (piece.empty()) break;
    const Status fed = process->feed(as_bytes(piece), options.deadline);
    DR_OK(watch.look());  // says more than that psql takes nothing any more
    if (fed.is(Errc::kUnavailable)) break;
    DR_OK(fed);
    scan.feed(piece);
    options.progress(text->bytes_read(), text->bytes_total());
  }
  process->end_input();
  DR_TRY(const ProcessExit ended, process->wait(options.deadline));
  DR_OK(watch.look());
  if (ended.code != 0 || text->bytes_read() < text->bytes_total())
    return Error{
        Errc::kFailed,
        fmt::format("psql ended with {} before it had read all of {}", ended.code, dump.path.string()),
        "its last words are in " + options.log.string()};
  played.complaints = watch.take();
  played.facts = scan.finish();
  if (played.facts.complete) return played;
  return Error{Errc::kCorrupt, fmt::format("{} is not whole: its last line is missing", dump.path.string()),
               "what was restored of it is not all; take an older dump, or another copy of this one"};
}

Result<Played> play_archive(FileSystem& fs, ProcessRunner& processes, const DumpFile& dump,
                            const PlayOptions& options) {
  Command tool{{"pg_restore", "--no-password", "--exit-on-error", "--dbname=" + options.into.dbname,
                dump.path.string()}};
  tool.environment = environment_of(options);
  tool.environment.emplace_back("PGOPTIONS", "-c statement_timeout=0 -c synchronous_commit=off");
  tool.output = options.log;
  DR_TRY(const ProcessExit ended, processes.run(tool, options.deadline));
  if (ended.code == 0) return Played{{.complete = true, .bytes = dump.bytes}, {}};
  const auto log = read_file(fs, options.log, 16 * kMiB);
  const std::string_view words = log.ok() ? as_text(*log) : std::string_view();
  return Error{Errc::kFailed,
               fmt::format("pg_restore ended with {}: {}", ended.code,
                           words.substr(words.size() - std::min<size_t>(words.size(), 1000))),
               "its own words are in " + options.log.string()};
}

}  // namespace

std::vector<std::pair<std::string, std::string>> libpq_environment(const ConnectionSettings& settings) {
  std::vector<std::pair<std::string, std::string>> out = {{"PGHOST", settings.host},
                                                          {"PGPORT", std::to_string(settings.port)},
                                                          {"PGDATABASE", settings.dbname},
                                                          {"PGAPPNAME", "daruma"},
                                                          {"PGCLIENTENCODING", "UTF8"},
                                                          {"PGCONNECT_TIMEOUT", "15"},
                                                          {"LC_ALL", "C"}};
  if (!settings.user.empty()) out.emplace_back("PGUSER", settings.user);
  if (!settings.password.empty()) out.emplace_back("PGPASSWORD", settings.password);
  if (!settings.sslmode.empty()) out.emplace_back("PGSSLMODE", settings.sslmode);
  return out;
}

Result<Played> play_dump(FileSystem& fs, ProcessRunner& processes, const DumpFile& dump,
                         const PlayOptions& options) {
  return dump.form == DumpFile::Form::kSql ? play_sql(fs, processes, dump, options)
                                           : play_archive(fs, processes, dump, options);
}

}  // namespace daruma::postgres
