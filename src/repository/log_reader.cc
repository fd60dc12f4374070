#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/guarded.h"
#include "repository/log.h"
#include "repository/log_objects.h"
#include "repository/log_tail.h"

namespace daruma {
namespace {

constexpr int kListingsMax = 10;
constexpr size_t kDecodedPieces = 2;

// Shared: a read goes on with a decoded piece that another one drops from the cache.
using SharedBytes = std::shared_ptr<const Bytes>;

class Reader final : public LogReader {
 public:
  Reader(const Repository& repository, const LogStream& stream) : repository_(repository), stream_(stream) {}

  // Tails first: one that is sealed meanwhile is found among the pieces, which are listed after it.
  Status load(const Repository::DamageSink& damage) {
    DR_OK(load_tails(damage));
    DR_TRY(const auto objects, repository_.store().list(log_prefix(stream_)));
    for (const ObjectInfo& object : objects) DR_OK(load_object(object.name, damage));
    std::sort(pieces_.begin(), pieces_.end(), [](const Piece& a, const Piece& b) {
      return std::tie(a.branch, a.from, a.to, a.object) < std::tie(b.branch, b.from, b.to, b.object);
    });
    for (const Piece& piece : pieces_) extend_ranges(piece);
    return {};
  }

  const std::vector<LogRange>& ranges() const override { return ranges_; }

  std::optional<uint64_t> end_of(Branch branch, uint64_t position) const override {
    for (const LogRange& range : ranges_)
      if (range.branch == branch && range.from <= position && position < range.to) return range.to;
    return {};
  }

  Result<Bytes> read(Branch branch, uint64_t position, uint64_t size) const override {
    const auto held_to = end_of(branch, position);
    if (!held_to || size > *held_to - position) return not_held(branch, position, size);
    Bytes out;
    out.reserve(size);
    while (out.size() < size) DR_OK(read_some(branch, position + out.size(), size - out.size(), out));
    return out;
  }

  const std::vector<Piece>& pieces() const override { return pieces_; }

  Result<std::string> summary(const Piece& piece) const override {
    const auto name = parse_piece_name(stream_, piece.object);
    if (!name)
      return Error{Errc::kNotFound, fmt::format("{} is no sealed piece and has no summary", piece.object)};
    return read_summary(repository_, piece.object, *name);
  }

  const std::map<Branch, std::string>& histories() const override { return histories_; }

 private:
  static Status report(const Repository::DamageSink& damage, const std::string& object, Error error) {
    if (!damage) return error;
    damage(object, error);
    return {};
  }

  static Error strange_name(const std::string& name) {
    return {Errc::kCorrupt, fmt::format("{}: nothing of a log has such a name", name),
            "look at what it is and move it out of the repository"};
  }

  Status load_tails(const Repository::DamageSink& damage) {
    for (int listings = 1; listings <= kListingsMax; ++listings) {
      DR_TRY(const auto listed, repository_.store().list(tails_prefix(stream_)));
      bool vanished = false;
      for (const ObjectInfo& object : listed) {
        if (tails_.contains(object.name)) continue;
        const Status loaded = load_tail(object.name, damage);
        vanished = vanished || loaded.is(Errc::kNotFound);
        if (!loaded.is(Errc::kNotFound)) DR_OK(loaded);
      }
      // What replaced it may be a newer tail, which this listing does not have.
      if (!vanished) return {};
    }
    return Error{Errc::kUnavailable,
                 fmt::format("the tails of log {} change faster than they can be read", stream_.path())};
  }

  Status load_tail(const std::string& name, const Repository::DamageSink& damage) {
    const auto tail = parse_tail_name(stream_, name);
    SharedBytes& bytes = tails_[name];
    if (!tail) return report(damage, name, strange_name(name));
    auto content = read_tail(repository_, name, *tail);
    if (!content.ok()) {
      tails_.erase(name);
      return std::move(content).error();
    }
    if (content->error) DR_OK(report(damage, name, *content->error));
    if (content->bytes.empty()) return {};
    pieces_.push_back({tail->branch, tail->position, tail->position + content->bytes.size(), name, false});
    bytes = std::make_shared<const Bytes>(std::move(content->bytes));
    return {};
  }

  Status load_object(const std::string& name, const Repository::DamageSink& damage) {
    if (const auto piece = parse_piece_name(stream_, name)) {
      pieces_.push_back({piece->branch, piece->position, piece->end(), name, true});
      return {};
    }
    const auto branch = parse_history_name(stream_, name);
    if (!branch) return report(damage, name, strange_name(name));
    auto history = read_history(repository_, name);
    if (history.ok())
      histories_[*branch] = *std::move(history);
    else if (history.is(Errc::kCorrupt) || history.is(Errc::kInvalid))
      return report(damage, name, std::move(history).error());
    else if (!history.is(Errc::kNotFound))
      return std::move(history).error();
    return {};
  }

  void extend_ranges(const Piece& piece) {
    if (!ranges_.empty() && ranges_.back().branch == piece.branch && piece.from <= ranges_.back().to)
      ranges_.back().to = std::max(ranges_.back().to, piece.to);
    else
      ranges_.push_back({piece.branch, piece.from, piece.to});
  }

  Error not_held(Branch branch, uint64_t position, uint64_t size) const {
    return {Errc::kNotFound, fmt::format("log {} does not hold {} bytes from position {} on of branch {}",
                                         stream_.path(), size, position, branch)};
  }

  // The pieces that hold `position`, best first: the one that goes farthest, then sealed before open.
  std::vector<const Piece*> covering(Branch branch, uint64_t position) const {
    const uint64_t first = position < kPieceMax ? 0 : position - kPieceMax;
    auto piece = std::lower_bound(pieces_.begin(), pieces_.end(), std::pair(branch, first),
                                  [](const Piece& a, const std::pair<Branch, uint64_t>& place) {
                                    return std::pair(a.branch, a.from) < place;
                                  });
    std::vector<const Piece*> found;
    for (; piece != pieces_.end() && piece->branch == branch && piece->from <= position; ++piece)
      if (position < piece->to) found.push_back(&*piece);
    std::sort(found.begin(), found.end(), [](const Piece* a, const Piece* b) {
      return std::pair(a->to, a->sealed) > std::pair(b->to, b->sealed);
    });
    return found;
  }

  // Appends at least one byte of what is at `position`, at most `size`. A damaged piece hurts only where no
  // other one holds the same place.
  Status read_some(Branch branch, uint64_t position, uint64_t size, Bytes& out) const {
    std::optional<Error> first_error;
    for (const Piece* piece : covering(branch, position)) {
      auto bytes = content(*piece);
      if (bytes.ok()) {
        const uint64_t skip = position - piece->from;
        const BytesView part = BytesView(**bytes).subspan(skip, std::min(size, piece->to - position));
        out.insert(out.end(), part.begin(), part.end());
        return {};
      }
      if (!first_error) first_error = std::move(bytes).error();
    }
    return first_error ? *first_error : not_held(branch, position, size);
  }

  Result<SharedBytes> content(const Piece& piece) const {
    if (!piece.sealed) return tails_.at(piece.object);
    {
      auto cache = cache_.lock();
      for (const auto& [object, bytes] : *cache)
        if (object == piece.object) return bytes;
    }
    const PieceName name{piece.branch, piece.from, static_cast<uint32_t>(piece.to - piece.from)};
    DR_TRY(const Bytes object, repository_.store().get(piece.object));
    DR_TRY(Bytes bytes, open_piece(repository_.keys(), piece.object, name, object));
    const auto shared = std::make_shared<const Bytes>(std::move(bytes));
    auto cache = cache_.lock();
    if (cache->size() >= kDecodedPieces) cache->erase(cache->begin());
    cache->emplace_back(piece.object, shared);
    return shared;
  }

  const Repository& repository_;
  const LogStream stream_;
  std::map<std::string, SharedBytes> tails_;  // null: nothing in it
  std::vector<Piece> pieces_;
  std::vector<LogRange> ranges_;
  std::map<Branch, std::string> histories_;
  mutable Guarded<std::vector<std::pair<std::string, SharedBytes>>> cache_;
};

}  // namespace

Result<std::unique_ptr<LogReader>> LogReader::open(const Repository& repository, const LogStream& stream,
                                                   const Repository::DamageSink& damage) {
  auto reader = std::make_unique<Reader>(repository, stream);
  DR_OK(reader->load(damage));
  return std::unique_ptr<LogReader>(std::move(reader));
}

Result<std::vector<LogStream>> list_log_streams(const Repository& repository, const std::string& datastore) {
  std::vector<uint64_t> incarnations;
  for (const std::string folder : {"log/", "tails/"}) {
    const std::string prefix = folder + datastore + "/";
    DR_TRY(const auto objects, repository.store().list(prefix));
    for (const ObjectInfo& object : objects)
      if (const auto incarnation = parse_incarnation(prefix, object.name))
        incarnations.push_back(*incarnation);
  }
  std::sort(incarnations.begin(), incarnations.end());
  incarnations.erase(std::unique(incarnations.begin(), incarnations.end()), incarnations.end());
  std::vector<LogStream> streams;
  for (const uint64_t incarnation : incarnations) streams.push_back({datastore, incarnation});
  return streams;
}

}  // namespace daruma
