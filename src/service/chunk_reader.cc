#include "service/chunk_reader.h"

#include <algorithm>

namespace daruma::service {
namespace {

constexpr unsigned kDigitsMax = 8;
constexpr size_t kReadOverMax = 4096;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

}  // namespace

ChunkReader::Step ChunkReader::read(std::string_view bytes, size_t& taken, std::string& body,
                                    size_t body_max) {
  for (taken = 0; taken < bytes.size() && !done_;) {
    if (state_ == State::kData) {
      const auto piece = static_cast<size_t>(std::min<uint64_t>(size_, bytes.size() - taken));
      body.append(bytes, taken, piece);
      taken += piece;
      size_ -= piece;
      if (size_ == 0) state_ = State::kDataReturn;
      continue;
    }
    if (!take(bytes[taken])) return Step::kMalformed;
    ++taken;
    if (state_ == State::kData && size_ > body_max - std::min(body_max, body.size())) return Step::kTooLarge;
  }
  return done_ ? Step::kDone : Step::kMore;
}

// False: this byte cannot be here.
bool ChunkReader::take(char byte) {
  switch (state_) {
    case State::kSize:
      return take_size(byte);
    case State::kExtension:
      return take_text(byte, State::kSizeEnd);
    case State::kSizeEnd:
      state_ = size_ == 0 ? State::kTrailerLine : State::kData;
      digits_ = 0;
      return byte == '\n';
    case State::kData:
      return false;  // read() takes it
    case State::kDataReturn:
      state_ = State::kDataEnd;
      return byte == '\r';
    case State::kDataEnd:
      state_ = State::kSize;
      return byte == '\n';
    case State::kTrailerLine:
      if (byte == '\r') {
        state_ = State::kEnd;
        return true;
      }
      state_ = State::kTrailer;
      return byte != ' ' && byte != '\t' && take_text(byte, State::kTrailerEnd);  // nothing is folded
    case State::kTrailer:
      return take_text(byte, State::kTrailerEnd);
    case State::kTrailerEnd:
      state_ = State::kTrailerLine;
      return byte == '\n';
    case State::kEnd:
      done_ = true;
      return byte == '\n';
  }
  return false;
}

bool ChunkReader::take_size(char byte) {
  if (const int value = hex_value(byte); value >= 0) {
    size_ = size_ * 16 + static_cast<uint64_t>(value);
    return ++digits_ <= kDigitsMax;
  }
  state_ = byte == '\r' ? State::kSizeEnd : State::kExtension;
  return digits_ > 0 && (byte == '\r' || byte == ';' || byte == ' ' || byte == '\t');
}

bool ChunkReader::take_text(char byte, State after) {
  if (byte == '\r') {
    state_ = after;
    return true;
  }
  return !is_control(byte) && ++read_over_ <= kReadOverMax;
}

}  // namespace daruma::service
