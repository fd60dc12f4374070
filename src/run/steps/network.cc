// tcp.check, dns.resolve.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "base/shell_word.h"
#include "probe/dns.h"
#include "probe/http.h"
#include "run/steps/families.h"
#include "run/steps/inputs.h"
#include "run/steps/percentiles.h"

namespace daruma::run {
namespace {

using Kind = InputRow::Kind;

constexpr InputRow kTcp[] = {
    {"address", Kind::kText, false, {}, "HOST:PORT"},
    {"service", Kind::kService, false, {}, "instead: the address of its health check"}};
constexpr InputRow kDns[] = {
    {"name", Kind::kText, true, {}, "the name, as it is asked for"},
    {"type", Kind::kText, false, "A", "A, AAAA, CNAME, TXT, MX or NS"},
    {"server", Kind::kText, false, {}, "the name server's IPv4 address, with a port or not; nothing: ours"},
    {"expect", Kind::kList, false, {}, "values that must be among the answers"},
    {"ttl_most", Kind::kInteger, false, {}, "fails when answers may be kept for more seconds"},
};

constexpr std::string_view kTcpOutputs[] = {"ms"};
constexpr std::string_view kDnsOutputs[] = {"values", "ttl_seconds", "ms"};

Result<std::string> address_input(const StepContext& context) {
  std::string address = text_input(context, "address");
  if (!address.empty()) return address;
  if (!input(context, "service"))
    return Error{Errc::kInvalid, "input 'address': give 'address' or 'service'"};
  DR_TRY(const ServiceConfig* service, service_input(context));
  if (!service->health || service->health->tcp.empty())
    return Error{Errc::kInvalid, fmt::format("input 'service': '{}' has no health.tcp", service->name)};
  return service->health->tcp;
}

Result<Value> check_tcp(StepContext& context) {
  DR_TRY(const std::string address, address_input(context));
  DR_TRY(const Duration took, probe::ask_tcp(address, context.clock, context.deadline, context.stop));
  fmt::print("{}: connected in {}\n", address, human_duration(took));
  return Value(Value::Map{{"ms", Value(ms_of(took))}});
}

std::vector<std::string> tcp_by_hand(const StepContext& context) {
  const auto address = address_input(context);
  if (!address.ok()) return {"# " + address.error().what};
  const size_t colon = std::min(address->rfind(':'), address->size() - 1);
  return {shell_line({"nc", "-z", "-v", "-w", "5", address->substr(0, colon), address->substr(colon + 1)})};
}

Result<Preview> preview_tcp(StepContext& context) {
  DR_TRY(const std::string address, address_input(context));
  return Preview{.would = {"connect to " + address}, .by_hand = tcp_by_hand(context)};
}

Result<Value> resolve(StepContext& context) {
  const std::string type = text_input(context, "type");
  const probe::DnsQuestion question{.name = text_input(context, "name"),
                                    .type = type.empty() ? "A" : type,
                                    .server = text_input(context, "server")};
  DR_TRY(const auto expected, texts_input(context, "expect"));
  DR_TRY(const probe::DnsAnswer answer, probe::ask_dns(question, context.clock, context.deadline));
  fmt::print("{} {}: {} (may be kept for {} s)\n", question.name, question.type,
             fmt::join(answer.values, ", "), answer.ttl_seconds);
  for (const std::string& value : expected)
    if (std::find(answer.values.begin(), answer.values.end(), value) == answer.values.end())
      return Error{Errc::kFailed, fmt::format("{} {} is {}, without {}", question.name, question.type,
                                              fmt::join(answer.values, ", "), value)};
  const int64_t ttl_most = integer_input(context, "ttl_most", std::numeric_limits<int64_t>::max());
  if (answer.ttl_seconds > ttl_most)
    return Error{Errc::kFailed, fmt::format("{} {} may be kept for {} s, more than {}", question.name,
                                            question.type, answer.ttl_seconds, ttl_most)};
  Value::List values(answer.values.begin(), answer.values.end());
  return Value(Value::Map{{"values", Value(std::move(values))},
                          {"ttl_seconds", Value(answer.ttl_seconds)},
                          {"ms", Value(ms_of(answer.took))}});
}

std::vector<std::string> dns_by_hand(const StepContext& context) {
  std::vector<std::string> argv{"dig", "+noall", "+answer"};
  if (const std::string server = text_input(context, "server"); !server.empty()) {
    const size_t colon = server.find(':');
    argv.push_back("@" + server.substr(0, colon));
    if (colon != std::string::npos) argv.insert(argv.end(), {"-p", server.substr(colon + 1)});
  }
  const std::string type = text_input(context, "type");
  argv.insert(argv.end(), {text_input(context, "name"), type.empty() ? "A" : type});
  return {shell_line(argv)};
}

Result<Preview> preview_dns(StepContext& context) {
  return Preview{.would = {"ask a name server about " + text_input(context, "name")},
                 .by_hand = dns_by_hand(context)};
}

constexpr StepType kTypes[] = {
    {.name = "tcp.check",
     .summary = "sees whether an address takes connections",
     .timeout = std::chrono::seconds(10),
     .inputs = kTcp,
     .outputs = kTcpOutputs,
     .act = check_tcp,
     .preview = preview_tcp,
     .by_hand = tcp_by_hand},
    {.name = "dns.resolve",
     .summary = "asks a name server for a name, and checks the answer",
     .timeout = std::chrono::seconds(10),
     .inputs = kDns,
     .outputs = kDnsOutputs,
     .act = resolve,
     .preview = preview_dns,
     .by_hand = dns_by_hand},
};

}  // namespace

std::span<const StepType> network_steps() { return kTypes; }

}  // namespace daruma::run
