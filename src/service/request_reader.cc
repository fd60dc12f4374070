#include "service/request_reader.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <cstring>
#include <optional>

namespace daruma::service {
namespace {

namespace http = boost::beast::http;
using BoostError = boost::system::error_code;

constexpr size_t kFirstCapacity = 2048;
constexpr size_t kKeptCapacity = 4096;   // an idle connection keeps no more
constexpr size_t kChunkRoom = 4096;      // for a piece of a chunked body, behind the head
constexpr size_t kBodyPiece = 16 << 10;  // what is claimed at first, whatever length was told

bool same_word(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower,
                            [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

bool is_sane_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 && std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.:/+=@").find(c) != std::string_view::npos;
  });
}

std::optional<Method> method_of(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return Method::kGet;
    case http::verb::head:
      return Method::kHead;
    case http::verb::post:
      return Method::kPost;
    case http::verb::put:
      return Method::kPut;
    case http::verb::patch:
      return Method::kPatch;
    case http::verb::delete_:
      return Method::kDelete;
    case http::verb::options:
      return Method::kOptions;
    default:
      return std::nullopt;
  }
}

std::string_view view_of(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

// Beast's parser, told what to do with what it finds in a head. Bodies are not given to it: its reader of
// chunks asserts what a sender can break.
class RequestReader::Parser {
 public:
  class Beast final : public http::basic_parser<true> {
   public:
    explicit Beast(RequestReader& reader) : reader_(reader) {
      header_limit(static_cast<uint32_t>(reader.header_max_ + 1));
      body_limit(boost::none);  // checked by us, per route
    }

    int refused = 0;
    const char* why = "";

   private:
    void on_request_impl(http::verb verb, boost::beast::string_view, boost::beast::string_view target,
                         int version, BoostError& error) override {
      reader_.target_ = view_of(target);
      reader_.http_1_0_ = version == 10;
      if (const auto method = method_of(verb))
        reader_.request_.method = *method;
      else
        refuse(501, "this method is not known", error);
    }

    void on_field_impl(http::field field, boost::beast::string_view name, boost::beast::string_view value,
                       BoostError& error) override {
      const char* begin = reader_.data_.get();
      // What was folded over several lines was put together elsewhere.
      if (!value.empty() && (value.data() < begin || value.data() >= begin + reader_.capacity_))
        return refuse(400, "a header is folded over several lines", error);
      reader_.request_.headers.emplace_back(view_of(name), view_of(value));
      note(field, view_of(name), view_of(value), error);
    }

    void note(http::field field, std::string_view name, std::string_view value, BoostError& error) {
      switch (field) {
        case http::field::host:
          ++reader_.hosts_;
          break;
        case http::field::expect:
          if (!same_word(value, "100-continue")) return refuse(417, "this expectation is not known", error);
          reader_.expects_continue_ = true;
          break;
        case http::field::transfer_encoding:
          if (!same_word(value, "chunked")) return refuse(501, "this transfer coding is not known", error);
          if (reader_.http_1_0_) return refuse(400, "HTTP/1.0 has no transfer codings", error);
          break;
        case http::field::via:
        case http::field::forwarded:
          reader_.forwarded_ = true;
          break;
        case http::field::unknown:
          if (same_word(name, "x-request-id")) {
            if (reader_.sent_id_.empty() && is_sane_id(value)) reader_.sent_id_ = value;
          } else if (same_word(name, "x-forwarded-for") || same_word(name, "x-real-ip")) {
            reader_.forwarded_ = true;
          }
          break;
        default:
          break;
      }
    }

    void refuse(int status, const char* detail, BoostError& error) {
      refused = status;
      why = detail;
      error = http::error::bad_field;
    }

    void on_response_impl(int, boost::beast::string_view, int, BoostError&) override {}
    void on_header_impl(BoostError&) override {}
    void on_body_init_impl(boost::optional<uint64_t> const&, BoostError&) override {}
    size_t on_body_impl(boost::beast::string_view body, BoostError&) override { return body.size(); }
    void on_chunk_header_impl(uint64_t, boost::beast::string_view, BoostError&) override {}
    size_t on_chunk_body_impl(uint64_t, boost::beast::string_view body, BoostError&) override {
      return body.size();
    }
    void on_finish_impl(BoostError&) override {}

    RequestReader& reader_;
  };

  std::optional<Beast> beast;
};

RequestReader::RequestReader(size_t header_max)
    : header_max_(header_max), parser_(std::make_unique<Parser>()) {}
RequestReader::~RequestReader() = default;

RequestReader::Step RequestReader::refuse(int status, std::string detail) {
  refusal_ = {status, std::move(detail)};
  keep_alive_ = false;
  return Step::kRefused;
}

std::span<char> RequestReader::room() {
  if (body_left_ > 0) {  // straight into the body
    const size_t filled = static_cast<size_t>(body_length_ - body_left_);
    if (filled == body_.size())
      body_.resize(std::min<uint64_t>(body_length_, std::max<uint64_t>(2 * filled, filled + kBodyPiece)));
    return std::span(body_).subspan(filled);
  }
  if (end_ < capacity_) return {data_.get() + end_, capacity_ - end_};
  if (begin_ > 0 && !started_body_) {
    std::memmove(data_.get(), data_.get() + begin_, end_ - begin_);
    scanned_ -= begin_;
    end_ -= begin_;
    begin_ = 0;
  } else {
    grow(capacity_ == 0 ? kFirstCapacity : capacity_ * 2);
  }
  return {data_.get() + end_, capacity_ - end_};
}

void RequestReader::grow(size_t capacity) {
  auto larger = std::make_unique_for_overwrite<char[]>(capacity);
  if (end_ > 0) std::memcpy(larger.get(), data_.get(), end_);
  data_ = std::move(larger);
  capacity_ = capacity;
}

void RequestReader::received(size_t count) {
  if (body_left_ > 0)
    body_left_ -= count;
  else
    end_ += count;
}

RequestReader::Step RequestReader::read_head() {
  const auto skip_line_ends = [this] {  // before a request, a robust server forgives them
    while (begin_ < end_ && begin_ == scanned_ && (data_[begin_] == '\r' || data_[begin_] == '\n'))
      scanned_ = ++begin_;
  };
  skip_line_ends();
  const std::string_view received(data_.get() + begin_, end_ - begin_);
  const size_t from = scanned_ - begin_;
  const size_t found = received.find("\r\n\r\n", from < 3 ? 0 : from - 3);
  scanned_ = end_;
  if (found == std::string_view::npos) return incomplete_head();
  const size_t size = found + 4;
  if (size > header_max_) return refuse(431, "request line and headers are too large");
  if (!parse_head(size)) return Step::kRefused;
  if (chunked_ && capacity_ - begin_ - size < kChunkRoom) {
    grow(begin_ + size + kChunkRoom);
    if (!parse_head(size)) return Step::kRefused;  // the views point into the new buffer now
  }
  body_at_ = begin_ + size;
  return check_head();
}

// Waits for the rest, unless no rest could make it a request.
RequestReader::Step RequestReader::incomplete_head() {
  const std::string_view received(data_.get() + begin_, end_ - begin_);
  if (received.size() >= header_max_) return refuse(431, "request line and headers are too large");
  if (!received.empty() && (received[0] < 'A' || received[0] > 'Z'))
    return refuse(400, "this is not an HTTP request");
  for (size_t at = received.find('\n'); at != std::string_view::npos; at = received.find('\n', at + 1))
    if (at == 0 || received[at - 1] != '\r') return refuse(400, "a line ends without a carriage return");
  return Step::kMore;
}

bool RequestReader::parse_head(size_t size) {
  request_.headers.clear();
  sent_id_ = {};
  hosts_ = 0;
  expects_continue_ = forwarded_ = false;
  Parser::Beast& beast = parser_->beast.emplace(*this);
  BoostError error;
  const size_t taken = beast.put(boost::asio::buffer(data_.get() + begin_, size), error);
  if (beast.refused != 0) {
    refuse(beast.refused, beast.why);
    return false;
  }
  if (error == http::error::bad_version) {
    refuse(505, "this is neither HTTP/1.1 nor HTTP/1.0");
    return false;
  }
  if (error || !beast.is_header_done() || taken != size) {
    refuse(400, error ? "malformed request: " + error.message() : "malformed request");
    return false;
  }
  keep_alive_ = beast.keep_alive();
  chunked_ = beast.chunked();
  body_length_ = beast.content_length().value_or(0);
  return true;
}

RequestReader::Step RequestReader::check_head() {
  if (hosts_ != 1 && !(http_1_0_ && hosts_ == 0)) return refuse(400, "there must be one Host header");
  if (!take_target()) return refuse(400, "the request target is not a path");
  if (http_1_0_ || (!chunked_ && body_length_ <= end_ - body_at_)) expects_continue_ = false;
  return Step::kDone;
}

bool RequestReader::take_target() {
  std::string_view target = target_;
  for (const std::string_view scheme : {"http://", "https://"})
    if (target.starts_with(scheme)) {  // as proxies are asked; servers must take it too
      target.remove_prefix(scheme.size());
      const size_t path = target.find_first_of("/?");
      target = path == std::string_view::npos ? "/" : target.substr(path);
    }
  const size_t question = std::min(target.find('?'), target.size());
  request_.path = question == 0 ? "/" : target.substr(0, question);
  request_.query = target.substr(std::min(question + 1, target.size()));
  return request_.path.starts_with('/') || (request_.path == "*" && request_.method == Method::kOptions);
}

RequestReader::Step RequestReader::read_body(size_t body_max) {
  if (chunked_) return read_chunks(body_max);
  if (body_length_ > body_max)
    return refuse(413, "the body has " + std::to_string(body_length_) + " bytes, more than " +
                           std::to_string(body_max));
  return read_whole(body_length_);
}

RequestReader::Step RequestReader::read_whole(uint64_t length) {
  if (!started_body_) {
    started_body_ = true;
    const size_t there = end_ - body_at_;
    if (there >= length) {
      request_.body = {data_.get() + body_at_, static_cast<size_t>(length)};
      body_at_ += static_cast<size_t>(length);
      return Step::kDone;
    }
    body_.assign(data_.get() + body_at_, there);
    end_ = body_at_;
    body_left_ = length - there;
  }
  if (body_left_ > 0) return Step::kMore;
  if (body_length_ > 0 && request_.body.empty()) request_.body = body_;
  return Step::kDone;
}

RequestReader::Step RequestReader::read_chunks(size_t body_max) {
  if (!std::exchange(started_body_, true)) {
    body_.clear();
    chunks_ = ChunkReader();
  }
  size_t taken = 0;
  switch (chunks_.read({data_.get() + body_at_, end_ - body_at_}, taken, body_, body_max)) {
    case ChunkReader::Step::kMore:
      end_ = body_at_;  // all of it was taken
      return Step::kMore;
    case ChunkReader::Step::kDone:
      body_at_ += taken;
      request_.body = body_;
      return Step::kDone;
    case ChunkReader::Step::kTooLarge:
      return refuse(413, "the body has more than " + std::to_string(body_max) + " bytes");
    case ChunkReader::Step::kMalformed:
      break;
  }
  return refuse(400, "malformed body: this is not the chunked coding");
}

void RequestReader::next() {
  request_.headers.clear();
  request_.path_parameters.clear();
  request_.path = request_.query = request_.body = {};
  target_ = sent_id_ = {};
  begin_ = scanned_ = body_at_;
  body_left_ = body_length_ = 0;
  chunked_ = started_body_ = false;
  if (body_.capacity() > kBodyPiece) body_ = std::string();
  body_.clear();
  if (begin_ != end_) return;
  begin_ = end_ = scanned_ = body_at_ = 0;
  if (capacity_ <= kKeptCapacity) return;
  data_.reset();
  capacity_ = 0;
}

}  // namespace daruma::service
