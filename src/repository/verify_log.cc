#include "repository/verify_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <list>

#include "repository/log_objects.h"
#include "repository/log_tail.h"

namespace daruma {
namespace {

std::string describe(const LogStream& stream, Branch branch, uint64_t from) {
  return fmt::format("log {} branch {} from {:016x}", stream.path(), branch, from);
}

class LogChecker {
 public:
  LogChecker(VerifyRun& run, LogStream stream) : run_(run), stream_(std::move(stream)) {}

  void check() {
    const auto log =
        LogReader::open(run_.repository, stream_,
                        [this](const std::string& object, const Error& error) { report(object, error); });
    if (!log.ok()) return run_.damage(log_prefix(stream_), log.error().what, {{}, "log " + stream_.path()});
    for (const LogReader::Piece& piece : (*log)->pieces()) check_piece(**log, piece);
    check_holes((*log)->ranges());
    check_histories(**log);
    check_ends((*log)->ranges());
    run_.report.ranges.insert(run_.report.ranges.end(), (*log)->ranges().begin(), (*log)->ranges().end());
  }

 private:
  struct Held {
    LogReader::Piece piece;
    Bytes bytes;
  };

  void report(const std::string& object, const Error& error) {
    std::string affects;
    if (const auto piece = parse_piece_name(stream_, object))
      affects = describe(stream_, piece->branch, piece->position);
    else if (const auto tail = parse_tail_name(stream_, object))
      affects = describe(stream_, tail->branch, tail->position);
    else if (const auto branch = parse_history_name(stream_, object))
      affects = fmt::format("log {} branch {}", stream_.path(), *branch);
    if (affects.empty())
      run_.garbage(object, cause_in(object, error));
    else
      run_.damage(object, cause_in(object, error), {{}, affects});
  }

  void check_piece(const LogReader& log, const LogReader::Piece& piece) {
    if (run_.options.read_data) {
      auto bytes = read(piece);
      if (bytes.ok())
        compare_with_neighbours({piece, *std::move(bytes)});
      else if (piece.sealed)  // a tail was reported when the log was opened
        report(piece.object, bytes.error());
    } else if (piece.sealed) {
      const auto summary = log.summary(piece);
      if (!summary.ok()) report(piece.object, summary.error());
    }
    run_.finished(piece.object);
  }

  Result<Bytes> read(const LogReader::Piece& piece) {
    if (!piece.sealed) {
      DR_TRY(TailContent tail,
             read_tail(run_.repository, piece.object, *parse_tail_name(stream_, piece.object)));
      run_.report.bytes_read += tail.bytes.size();
      return std::move(tail.bytes);
    }
    DR_TRY(const Bytes object, run_.repository.store().get(piece.object));
    run_.report.bytes_read += object.size();
    return open_piece(run_.repository.keys(), piece.object, *parse_piece_name(stream_, piece.object), object);
  }

  // Pieces come ordered by branch and beginning: only those that reach into this one are kept.
  void compare_with_neighbours(Held next) {
    held_.remove_if([&](const Held& held) {
      return held.piece.branch != next.piece.branch || held.piece.to <= next.piece.from;
    });
    for (const Held& held : held_) {
      const uint64_t skip = next.piece.from - held.piece.from;
      if (skip >= held.bytes.size()) continue;
      const BytesView there = BytesView(held.bytes).subspan(skip);
      const size_t common = std::min(there.size(), next.bytes.size());
      if (std::ranges::equal(there.first(common), BytesView(next.bytes).first(common))) continue;
      run_.damage(
          next.piece.object,
          fmt::format("it holds other bytes than {} at the same positions: a split brain", held.piece.object),
          {{}, describe(stream_, next.piece.branch, next.piece.from)});
    }
    held_.push_back(std::move(next));
  }

  void check_holes(const std::vector<LogRange>& ranges) {
    for (size_t i = 1; i < ranges.size(); ++i)
      if (ranges[i].branch == ranges[i - 1].branch)
        run_.hole(log_prefix(stream_),
                  fmt::format("branch {}: nothing is held from {:016x} to {:016x}; capture was interrupted "
                              "then, or pieces were removed",
                              ranges[i].branch, ranges[i - 1].to, ranges[i].from),
                  describe(stream_, ranges[i].branch, ranges[i - 1].to));
  }

  // Branch 1 is the first; every other has left one, and its history is stored before its bytes.
  void check_histories(const LogReader& log) {
    std::set<Branch> branches;
    for (const LogRange& range : log.ranges()) branches.insert(range.branch);
    for (const Branch branch : branches) {
      const std::string name = history_name(stream_, branch);
      if (branch > 1 && !log.histories().contains(branch) && !run_.objects.contains(name))
        run_.damage(name, "it is missing: where the branch left its parent is not known",
                    {{}, fmt::format("log {} branch {}", stream_.path(), branch)});
    }
  }

  void check_ends(const std::vector<LogRange>& ranges) {
    if (!run_.options.memory) return;
    const auto remembered = run_.options.memory->logs.find(stream_.path());
    if (remembered == run_.options.memory->logs.end()) return;
    for (const auto& [branch, acknowledged] : remembered->second) {
      uint64_t held = 0;
      for (const LogRange& range : ranges)
        if (range.branch == branch) held = std::max(held, range.to);
      if (held < acknowledged)
        run_.lost(log_prefix(stream_),
                  fmt::format("branch {} was acknowledged up to {:016x}, and is held up to {:016x}", branch,
                              acknowledged, held),
                  describe(stream_, branch, held));
    }
  }

  VerifyRun& run_;
  const LogStream stream_;
  std::list<Held> held_;
};

// "bookings/68f3…" -> the stream; nullopt for what is no such path.
std::optional<LogStream> parse_stream(std::string_view path) {
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos || slash == 0) return {};
  const std::string with_end = std::string(path) + "/";
  const auto incarnation = parse_incarnation(with_end.substr(0, slash + 1), with_end);
  if (!incarnation) return {};
  LogStream stream{std::string(path.substr(0, slash)), *incarnation};
  if (stream.path() != path) return {};
  return stream;
}

// "log/bookings/68f3…/00000001/…" -> "bookings/68f3…"
std::string_view stream_part(std::string_view name) {
  const size_t first = name.find('/') + 1;
  const size_t second = name.find('/', first);
  const size_t third = second == std::string_view::npos ? second : name.find('/', second + 1);
  return third == std::string_view::npos ? std::string_view() : name.substr(first, third - first);
}

}  // namespace

void check_logs(VerifyRun& run) {
  std::set<std::string> paths;
  for (const auto& [name, size] : run.objects) {
    if (!name.starts_with("log/") && !name.starts_with("tails/")) continue;
    const std::string path(stream_part(name));
    if (parse_stream(path))
      paths.insert(path);
    else
      run.garbage(name, "nothing of a log has such a name");
  }
  // A log of which nothing is left is remembered, or nobody knows of it.
  if (run.options.memory)
    for (const auto& [path, ends] : run.options.memory->logs)
      if (parse_stream(path)) paths.insert(path);
  for (const std::string& path : paths) LogChecker(run, *parse_stream(path)).check();
}

}  // namespace daruma
