// service/chunk_reader.h: decodes the chunked transfer coding from whatever pieces it arrives in.
//
// Source:  RFC 9112, section 7.1. Strict: lines end with CR LF, sizes have at most eight digits. Extensions
//          and trailers are read over, up to a bound.
// Threads: a plain value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace daruma::service {

class ChunkReader {
 public:
  enum class Step : uint8_t { kMore, kDone, kMalformed, kTooLarge };

  // Appends the content found in `bytes` to `body`, up to `body_max` bytes of it. `taken`: how many of
  // `bytes` belonged to the coding; all of them, unless it ended.
  Step read(std::string_view bytes, size_t& taken, std::string& body, size_t body_max);

 private:
  enum class State : uint8_t {
    kSize,
    kExtension,
    kSizeEnd,
    kData,
    kDataReturn,
    kDataEnd,
    kTrailerLine,
    kTrailer,
    kTrailerEnd,
    kEnd,
  };
  bool take(char byte);
  bool take_size(char byte);
  bool take_text(char byte, State after);

  State state_ = State::kSize;
  uint64_t size_ = 0;  // of the chunk, as far as it was read
  unsigned digits_ = 0;
  size_t read_over_ = 0;  // bytes of extensions and trailers
  bool done_ = false;
};

}  // namespace daruma::service
