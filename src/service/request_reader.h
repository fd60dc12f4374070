// service/request_reader.h: the bytes of one connection in, its requests out, one at a time. No sockets.
//
// Usage:   put bytes into room(), tell received(), call read_head() until it is not kMore; then read_body(),
//          the same way; then next(). What is left of a pipelined request is kept.
// Strict:  what two programs could read in two ways is refused, so that nothing can be smuggled past a proxy:
//          Content-Length together with Transfer-Encoding, two lengths that differ, codings other than
//          chunked, folded headers, bare line feeds, no or two Hosts.
// Owns:    the buffer that the request's views point into, until next().
// Threads: one at a time.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "service/chunk_reader.h"
#include "service/http.h"

namespace daruma::service {

class RequestReader {
 public:
  // `header_max`: bytes of request line and headers.
  explicit RequestReader(size_t header_max);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  enum class Step : uint8_t {
    kMore,     // receive, then ask again
    kDone,     // the head, or the body, is there
    kRefused,  // see refusal(); nothing more can be read from this connection
  };
  struct Refusal {
    int status = 400;
    std::string detail = {};
  };

  // Where to put received bytes; never empty while kMore was the last answer.
  std::span<char> room();
  void received(size_t count);

  // Request line and headers: fills in method, path, query and headers of request().
  Step read_head();
  // After the head. A body of more than `body_max` bytes is refused (413), before it is read where its length
  // was told.
  Step read_body(size_t body_max);
  // Forgets this request. Its views end.
  void next();

  Request& request() { return request_; }
  const Request& request() const { return request_; }
  const Refusal& refusal() const { return refusal_; }
  // Nothing of a request was received yet.
  bool untouched() const { return begin_ == end_; }
  // Of the request whose head was read:
  bool keep_alive() const { return keep_alive_; }
  bool http_1_0() const { return http_1_0_; }
  bool expects_continue() const { return expects_continue_; }  // and its body is not there yet
  bool forwarded() const { return forwarded_; }                // a proxy says that it speaks for somebody
  std::string_view sent_id() const { return sent_id_; }        // X-Request-Id; "" where it is not sane

 private:
  class Parser;

  Step refuse(int status, std::string detail);
  Step incomplete_head();
  bool parse_head(size_t size);
  Step check_head();
  bool take_target();
  Step read_whole(uint64_t length);
  Step read_chunks(size_t body_max);
  void grow(size_t capacity);

  const size_t header_max_;
  std::unique_ptr<char[]> data_;
  size_t capacity_ = 0;
  size_t begin_ = 0;    // of the request
  size_t scanned_ = 0;  // up to here there is no end of the head
  size_t body_at_ = 0;  // end of the head; then of what was taken of the body
  size_t end_ = 0;      // of what was received
  std::unique_ptr<Parser> parser_;

  Request request_;
  Refusal refusal_;
  std::string_view target_, sent_id_;
  ChunkReader chunks_;
  std::string body_;        // where it does not lie in one piece in the buffer
  uint64_t body_left_ = 0;  // to be received into body_
  uint64_t body_length_ = 0;
  unsigned hosts_ = 0;
  bool chunked_ = false;
  bool started_body_ = false;
  bool keep_alive_ = false;
  bool http_1_0_ = false;
  bool expects_continue_ = false;
  bool forwarded_ = false;
};

}  // namespace daruma::service
