// Fuzzes the reading of HTTP requests: what a stranger may send to a service.
//
// Input:  what arrives on one connection, one request after the other.
// Checks: the same requests are read, and the same one refused, whether everything arrives at once or in
//         pieces of any size; limits hold; views point at what was sent; and what handlers and router do
//         with a request comes to an end.
#include <algorithm>
#include <string>
#include <vector>

#include "fuzz.h"
#include "service/request_reader.h"
#include "service/router.h"

using namespace daruma;
using namespace daruma::service;

namespace {

constexpr size_t kHeaderMax = 4000;
constexpr size_t kBodyMax = 5000;
constexpr size_t kRequestsMax = 200;

const Router& router() {
  static const Router table = [] {
    Router made;
    for (const char* pattern : {"/", "/api/search", "/api/bookings/{id}", "/{a}/{b}", "/{a}/x/{c}"})
      made.add(
          {.pattern = pattern, .name = pattern, .handle_at_once = [](Request&) { return text(200, ""); }});
    return made;
  }();
  return table;
}

// What handlers ask of a request.
void use(const Request& request) {
  const Router::Match match = router().match(request.method, request.path);
  if (match.route) {
    for (const auto& [name, value] : match.path_parameters) FUZZ_CHECK(!name.empty() && !value.empty());
  }
  static_cast<void>(request.parameter("checkIn"));
  static_cast<void>(request.header("Authorization"));
  FUZZ_CHECK(request.body.size() <= kBodyMax);
  FUZZ_CHECK(request.path.starts_with('/') || request.path == "*");
}

std::string told(const RequestReader& reader, const Request& request) {
  std::string text = std::string(name_of(request.method)) + " " + std::string(request.path) + "?" +
                     std::string(request.query) + "\n";
  size_t head = 0;
  for (const auto& [name, value] : request.headers) {
    text.append(name).append("=").append(value).append("\n");
    head += name.size() + value.size();
  }
  FUZZ_CHECK(head <= kHeaderMax);
  return text.append(request.body).append(reader.keep_alive() ? "\nalive" : "\nlast");
}

// Feeds `bytes` in pieces of `piece`; every request in words, "refused" at the end where one was.
std::vector<std::string> read_all(std::string_view bytes, size_t piece) {
  using Step = RequestReader::Step;
  RequestReader reader(kHeaderMax);
  std::vector<std::string> all;
  bool in_body = false;
  while (all.size() < kRequestsMax) {
    const Step step = in_body ? reader.read_body(kBodyMax) : reader.read_head();
    if (step == Step::kRefused) {
      FUZZ_CHECK(reader.refusal().status >= 400 && !reader.refusal().detail.empty());
      all.push_back("refused");
      break;
    }
    if (step == Step::kMore) {
      if (bytes.empty()) break;
      const auto room = reader.room();
      FUZZ_CHECK(!room.empty());
      const size_t count = std::min({room.size(), piece, bytes.size()});
      std::copy_n(bytes.begin(), count, room.begin());
      reader.received(count);
      bytes.remove_prefix(count);
    } else if (!in_body) {
      in_body = true;
    } else {
      use(reader.request());
      all.push_back(told(reader, reader.request()));
      reader.next();
      in_body = false;
    }
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = read_all(bytes, bytes.size() + 1);
  for (const size_t piece : {1ul, 7ul, 1000ul}) FUZZ_CHECK(read_all(bytes, piece) == whole);
  return 0;
}
