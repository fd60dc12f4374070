#include "repository/log_sealer.h"

#include <fmt/format.h>

#include "repository/log_objects.h"

namespace daruma {
namespace {

constexpr size_t kPiecesMax = 3;

}  // namespace

LogSealer::LogSealer(Repository& repository, LogStream stream, Summarize summarize, Mode mode)
    : repository_(repository), stream_(std::move(stream)), summarize_(std::move(summarize)) {
  if (mode == Mode::kInBackground) thread_ = std::thread([this] { run(); });
}

LogSealer::~LogSealer() {
  if (!thread_.joinable()) return;
  state_.lock()->closing = true;
  state_.notify_all();
  thread_.join();
}

Status LogSealer::submit(FinishedPiece piece) {
  if (!thread_.joinable()) {
    DR_OK(status());
    Status sealed = seal(piece);
    if (!sealed.ok()) state_.lock()->failure = sealed;
    return sealed;
  }
  auto state = state_.lock();
  state.wait([&] { return state->pieces() < kPiecesMax || !state->failure.ok(); });
  DR_OK(state->failure);
  state->waiting.push_back(std::move(piece));
  state_.notify_all();
  return {};
}

Status LogSealer::drain() {
  auto state = state_.lock();
  state.wait([&] { return state->pieces() == 0 || !state->failure.ok(); });
  return state->failure;
}

Status LogSealer::seal(const FinishedPiece& piece) {
  DR_OK(put_piece(piece));
  for (const std::string& tail : piece.tails) DR_OK(repository_.store().remove(tail));
  return {};
}

Status LogSealer::put_piece(const FinishedPiece& piece) {
  const PieceName place{piece.branch, piece.position, static_cast<uint32_t>(piece.bytes.size())};
  const std::string name = piece_name(stream_, place);
  const std::string summary =
      summarize_ ? summarize_(piece.branch, piece.position, piece.bytes) : std::string();
  Status put = repository_.store().put(
      name, seal_piece(repository_.keys(), repository_.random(), name, place, piece.bytes, summary));
  if (!put.is(Errc::kExists)) return put;

  DR_TRY(const Bytes object, repository_.store().get(name));
  DR_TRY(const Bytes there, open_piece(repository_.keys(), name, place, object));
  if (there == piece.bytes) return {};
  return Error{
      Errc::kRefused,
      fmt::format("split brain: {} holds other bytes for log {}, branch {}, from position {} on, than "
                  "were received now",
                  name, stream_.path(), piece.branch, piece.position),
      "two servers wrote the same part of one log: find out which one is right before going on; "
      "neither version was touched"};
}

Status LogSealer::status() const { return state_.lock()->failure; }

void LogSealer::run() {
  for (;;) {
    FinishedPiece piece;
    {
      auto state = state_.lock();
      state.wait([&] { return state->closing || !state->waiting.empty(); });
      if (state->waiting.empty()) return;
      piece = std::move(state->waiting.front());
      state->waiting.pop_front();
      state->sealing = true;
    }
    Status sealed = seal(piece);
    auto state = state_.lock();
    state->sealing = false;
    if (!sealed.ok()) {
      state->failure = std::move(sealed);
      state->waiting.clear();  // their tails hold them
    }
    state_.notify_all();
    if (!state->failure.ok()) return;
  }
}

}  // namespace daruma
