#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "repository/log.h"
#include "repository/log_objects.h"
#include "repository/log_sealer.h"
#include "repository/log_tail.h"
#include "repository/log_takeover.h"

namespace daruma {
namespace {

class Writer final : public LogWriter {
 public:
  Writer(Repository& repository, Options options)
      : repository_(repository),
        options_(std::move(options)),
        sealer_(repository, options_.stream, options_.summarize,
                options_.seal_in_background ? LogSealer::Mode::kInBackground : LogSealer::Mode::kAtOnce) {}

  // What was there is removed only when it is durable elsewhere; an interrupted take-over is taken up again.
  Status take_over() {
    DR_TRY(Takeover old,
           plan_takeover(repository_, options_.stream, options_.receiver, options_.piece_bytes));
    generation_ = old.next_generation;
    for (FinishedPiece& piece : old.finished) DR_OK(sealer_.submit(std::move(piece)));
    DR_OK(sealer_.drain());
    if (old.open) {
      DR_OK(begin(old.open->branch, old.open->position));
      open_->bytes.insert(open_->bytes.end(), old.open->bytes.begin(), old.open->bytes.end());
      DR_OK(sync_open());
      for (const std::string& tail : old.open->tails) DR_OK(repository_.store().remove(tail));
    }
    for (const std::string& tail : old.empty) DR_OK(repository_.store().remove(tail));
    return {};
  }

  std::optional<End> end() const override {
    if (!open_) return {};
    return End{open_->branch, open_->end()};
  }

  BytesView open_piece() const override { return open_ ? BytesView(open_->bytes) : BytesView(); }

  Status append(Branch branch, uint64_t position, BytesView bytes) override {
    DR_OK(failure_);
    DR_OK(sealer_.status());
    DR_OK(check_place(branch, position, bytes));
    return keep(append_checked(branch, position, bytes));
  }

  Status sync() override {
    DR_OK(failure_);
    return keep(sync_open());
  }

  Status close_piece() override {
    DR_OK(failure_);
    DR_OK(sealer_.status());
    if (!open_) return {};
    DR_OK(sealer_.submit(take_open()));
    return sealer_.drain();
  }

  Status background_status() const override { return sealer_.status(); }

  Status put_history(Branch branch, BytesView text) override {
    const std::string name = history_name(options_.stream, branch);
    ByteWriter record;
    record.put(static_cast<uint8_t>(RecordKind::kHistory));
    record.put_bytes(text);
    const Status put = repository_.put_record(name, ObjectType::kHistory, record.view());
    if (!put.is(Errc::kExists)) return put;
    DR_TRY(const std::string there, read_history(repository_, name));
    if (there == as_text(text)) return {};
    return Error{Errc::kRefused,
                 fmt::format("split brain: {} tells another history of branch {} of log {}", name, branch,
                             options_.stream.path()),
                 "two servers made the same branch: find out which one is right; the first was not touched"};
  }

 private:
  struct OpenPiece {
    Branch branch = 0;
    uint64_t position = 0;
    Bytes bytes;
    size_t synced = 0;
    std::unique_ptr<TailWriter> tail;

    uint64_t end() const { return position + bytes.size(); }
  };

  // After a failure nobody knows what the tail holds, so nothing is added to it.
  Status keep(Status status) {
    if (!status.ok()) failure_ = status;
    return status;
  }

  Status check_place(Branch branch, uint64_t position, BytesView bytes) const {
    constexpr uint64_t kLast = std::numeric_limits<uint64_t>::max() - kPieceMax;
    if (position > kLast || bytes.size() > kLast - position)
      return Error{Errc::kInvalid,
                   fmt::format("log {}: position {} is too large", options_.stream.path(), position)};
    if (open_ && (branch != open_->branch || position != open_->end()))
      return Error{Errc::kInvalid,
                   fmt::format("log {}: bytes of branch {} at position {} do not continue the open piece, "
                               "which ends at {} of branch {}",
                               options_.stream.path(), branch, position, open_->end(), open_->branch),
                   "close the piece before another one begins"};
    if (!open_ && position % options_.piece_bytes != 0)
      return Error{Errc::kInvalid,
                   fmt::format("log {}: position {} is inside a piece and nothing is open; a piece begins at "
                               "a multiple of {}",
                               options_.stream.path(), position, options_.piece_bytes),
                   "begin at the piece's first byte"};
    return {};
  }

  Status append_checked(Branch branch, uint64_t position, BytesView bytes) {
    while (!bytes.empty()) {
      if (!open_) DR_OK(begin(branch, position));
      const BytesView part =
          bytes.first(std::min<uint64_t>(bytes.size(), options_.piece_bytes - open_->bytes.size()));
      open_->bytes.insert(open_->bytes.end(), part.begin(), part.end());
      position += part.size();
      bytes = bytes.subspan(part.size());
      if (open_->bytes.size() < options_.piece_bytes) continue;
      DR_OK(sync_open());
      DR_OK(sealer_.submit(take_open()));
    }
    return {};
  }

  Status begin(Branch branch, uint64_t position) {
    const std::string name = tail_name(options_.stream, {options_.receiver, branch, position, generation_++});
    DR_TRY(auto tail, TailWriter::create(repository_, name));
    open_ = OpenPiece{branch, position, {}, 0, std::move(tail)};
    open_->bytes.reserve(options_.piece_bytes);
    return {};
  }

  Status sync_open() {
    if (!open_ || open_->synced == open_->bytes.size()) return {};
    DR_OK(
        open_->tail->append(open_->position + open_->synced, BytesView(open_->bytes).subspan(open_->synced)));
    open_->synced = open_->bytes.size();
    return {};
  }

  FinishedPiece take_open() {
    FinishedPiece piece{open_->branch, open_->position, std::move(open_->bytes), {open_->tail->name()}};
    open_.reset();
    return piece;
  }

  Repository& repository_;
  const Options options_;
  std::optional<OpenPiece> open_;
  uint32_t generation_ = 1;
  Status failure_;
  LogSealer sealer_;
};

Status check_options(const LogWriter::Options& options) {
  if (options.piece_bytes == 0 || options.piece_bytes > kPieceMax)
    return Error{Errc::kInvalid,
                 fmt::format("pieces of {} bytes: at most {} are possible", options.piece_bytes, kPieceMax)};
  const std::string name = tail_name(options.stream, {options.receiver, 0, 0, 0});
  DR_OK(check_object_name(name));
  if (!parse_tail_name(options.stream, name))
    return Error{Errc::kInvalid, fmt::format("'{}' cannot name a receiver", options.receiver)};
  return {};
}

}  // namespace

Result<std::unique_ptr<LogWriter>> LogWriter::open(Repository& repository, Options options) {
  DR_OK(check_options(options));
  auto writer = std::make_unique<Writer>(repository, std::move(options));
  DR_OK(writer->take_over());
  return std::unique_ptr<LogWriter>(std::move(writer));
}

}  // namespace daruma
