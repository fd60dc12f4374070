#include "probe/dns.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <fmt/format.h>
#include <netdb.h>
#include <resolv.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

namespace daruma::probe {
namespace {

constexpr size_t kAnswerMost = 65535;
constexpr int kSecondsMost = 30;

struct Type {
  std::string_view name;
  ns_type number;
};
constexpr Type kTypes[] = {{"A", ns_t_a},     {"AAAA", ns_t_aaaa}, {"CNAME", ns_t_cname},
                           {"TXT", ns_t_txt}, {"MX", ns_t_mx},     {"NS", ns_t_ns}};

class Resolver {
 public:
  Resolver() { good_ = res_ninit(&state_) == 0; }
  ~Resolver() { res_nclose(&state_); }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  bool good() const { return good_; }
  struct __res_state* state() {
    return &state_;
  }

 private:
  struct __res_state state_ {};
  bool good_ = false;
};

std::optional<sockaddr_in> address_of(std::string_view server) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  uint16_t port = NS_DEFAULTPORT;
  const size_t colon = server.find(':');
  if (colon != std::string_view::npos) {
    const std::string_view digits = server.substr(colon + 1);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (read.ec != std::errc() || read.ptr != digits.data() + digits.size()) return std::nullopt;
  }
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, std::string(server.substr(0, colon)).c_str(), &address.sin_addr) != 1)
    return std::nullopt;
  return address;
}

std::string name_in(const ns_msg& message, const unsigned char* at) {
  std::array<char, NS_MAXDNAME> name{};
  const int length = dn_expand(ns_msg_base(message), ns_msg_end(message), at, name.data(), name.size());
  return length < 0 ? "" : name.data();
}

std::string text_in(const unsigned char* at, size_t size) {
  std::string text;
  for (size_t i = 0; i < size;) {
    const size_t length = std::min<size_t>(at[i], size - i - 1);
    text.append(reinterpret_cast<const char*>(at + i + 1), length);
    i += 1 + length;
  }
  return text;
}

// nullopt: the record is broken.
std::optional<std::string> value_of(const ns_msg& message, const ns_rr& record) {
  const unsigned char* data = ns_rr_rdata(record);
  const size_t size = ns_rr_rdlen(record);
  std::array<char, INET6_ADDRSTRLEN> text{};
  switch (ns_rr_type(record)) {
    case ns_t_a:
      if (size != 4 || !inet_ntop(AF_INET, data, text.data(), text.size())) return std::nullopt;
      return text.data();
    case ns_t_aaaa:
      if (size != 16 || !inet_ntop(AF_INET6, data, text.data(), text.size())) return std::nullopt;
      return text.data();
    case ns_t_txt:
      return text_in(data, size);
    case ns_t_mx:
      if (size < 3) return std::nullopt;
      return fmt::format("{} {}", data[0] << 8 | data[1], name_in(message, data + 2));
    default:
      return name_in(message, data);
  }
}

Result<DnsAnswer> read_answer(const DnsQuestion& question, ns_type type, const unsigned char* bytes,
                              int size) {
  ns_msg message;
  if (ns_initparse(bytes, size, &message) != 0)
    return Error{Errc::kUnavailable, fmt::format("the answer about {} cannot be read", question.name)};
  DnsAnswer answer;
  answer.ttl_seconds = std::numeric_limits<uint32_t>::max();
  for (int i = 0; i < ns_msg_count(message, ns_s_an); ++i) {
    ns_rr record;
    if (ns_parserr(&message, ns_s_an, i, &record) != 0 || ns_rr_type(record) != type) continue;
    const auto value = value_of(message, record);
    if (!value) continue;
    answer.values.push_back(*value);
    answer.ttl_seconds = std::min<uint32_t>(answer.ttl_seconds, ns_rr_ttl(record));
  }
  if (answer.values.empty())
    return Error{Errc::kNotFound, fmt::format("{} has no {} record", question.name, question.type)};
  std::sort(answer.values.begin(), answer.values.end());
  return answer;
}

Error error_of(const DnsQuestion& question, int h_error) {
  const std::string server = question.server.empty() ? "the name server" : question.server;
  if (h_error == HOST_NOT_FOUND)
    return {Errc::kNotFound, fmt::format("{} does not exist, says {}", question.name, server)};
  if (h_error == NO_DATA)
    return {Errc::kNotFound, fmt::format("{} has no {} record", question.name, question.type)};
  return {Errc::kUnavailable, fmt::format("{} gives no answer about {}", server, question.name)};
}

}  // namespace

Result<DnsAnswer> ask_dns(const DnsQuestion& question, Clock& clock, Deadline deadline) {
  const auto type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                 [&](const Type& candidate) { return candidate.name == question.type; });
  if (type == std::end(kTypes))
    return Error{Errc::kInvalid, fmt::format("'{}' is none of A, AAAA, CNAME, TXT, MX, NS", question.type)};
  const auto left = std::chrono::ceil<std::chrono::seconds>(deadline.left(clock.mono())).count();
  if (left <= 0) return Error{Errc::kUnavailable, question.name + ": no time is left"};
  Resolver resolver;
  if (!resolver.good()) return Error{Errc::kFailed, "the resolver cannot start"};
  resolver.state()->retrans = static_cast<int>(std::min<int64_t>(left, kSecondsMost));
  resolver.state()->retry = 1;
  resolver.state()->options &= ~static_cast<unsigned long>(RES_DNSRCH | RES_DEFNAMES);
  if (!question.server.empty()) {
    const auto address = address_of(question.server);
    if (!address)
      return Error{Errc::kInvalid,
                   fmt::format("'{}' is not an IPv4 address with or without a port", question.server)};
    resolver.state()->nscount = 1;
    resolver.state()->nsaddr_list[0] = *address;
  }
  std::vector<unsigned char> bytes(kAnswerMost);
  const MonoInstant begin = clock.mono();
  const int size = res_nquery(resolver.state(), question.name.c_str(), ns_c_in, type->number, bytes.data(),
                              static_cast<int>(bytes.size()));
  const Duration took = clock.mono() - begin;
  if (size < 0) return error_of(question, resolver.state()->res_h_errno);
  DR_TRY(DnsAnswer answer, read_answer(question, type->number, bytes.data(), size));
  answer.took = took;
  return answer;
}

}  // namespace daruma::probe
