// What an installation remembers outside the copies, as JSON:
//   {"writers": {"<writer>": {"number": 7, "hash": "<64 hex digits>"}},
//    "logs": {"<datastore>/<incarnation>": {"<branch>": "<position, 16 hex digits as in names>"}}}
#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>
#include <optional>

#include "repository/verify.h"

namespace daruma {
namespace {

namespace json = boost::json;

Error not_heads(const std::string& why) {
  return {Errc::kInvalid, "this is not what an installation remembers: " + why,
          "move the file away: the next backup starts a new one"};
}

template <std::unsigned_integral T>
std::optional<T> number_of(std::string_view text, int base) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

Result<Heads::WriterHead> writer_head(const json::value& value) {
  const auto* head = value.if_object();
  const auto* number = head ? head->if_contains("number") : nullptr;
  const auto* hash = head ? head->if_contains("hash") : nullptr;
  json::error_code not_a_number;
  Heads::WriterHead out;
  if (number) out.number = number->to_number<uint64_t>(not_a_number);
  if (!number || not_a_number || out.number == 0 || !hash || !hash->is_string())
    return not_heads("a writer lacks its number or hash");
  DR_TRY(out.hash, CommitHash::parse(std::string_view(hash->get_string())));
  return out;
}

Result<std::map<Branch, uint64_t>> log_ends(const json::value& value) {
  const auto* branches = value.if_object();
  if (!branches) return not_heads("a log without branches");
  std::map<Branch, uint64_t> out;
  for (const auto& [name, end] : *branches) {
    const auto branch = number_of<Branch>(name, 10);
    const auto position =
        end.is_string() ? number_of<uint64_t>(std::string_view(end.get_string()), 16) : std::nullopt;
    if (!branch || !position) return not_heads("a log's end is no position");
    out[*branch] = *position;
  }
  return out;
}

// `name` of `whole` as an object; empty when it is missing.
Result<json::object> part(const json::object& whole, std::string_view name) {
  const auto* value = whole.if_contains(name);
  if (!value) return json::object();
  if (!value->is_object()) return not_heads(fmt::format("'{}' is no object", name));
  return value->get_object();
}

}  // namespace

std::string print_heads(const Heads& heads) {
  json::object writers;
  for (const auto& [writer, head] : heads.writers)
    writers[writer] = json::object{{"number", head.number}, {"hash", head.hash.hex()}};
  json::object logs;
  for (const auto& [stream, branches] : heads.logs) {
    json::object ends;
    for (const auto& [branch, end] : branches) ends[std::to_string(branch)] = fmt::format("{:016x}", end);
    logs[stream] = std::move(ends);
  }
  return json::serialize(json::object{{"writers", std::move(writers)}, {"logs", std::move(logs)}}) + "\n";
}

Result<Heads> parse_heads(std::string_view text) {
  json::error_code failed;
  const json::value value = json::parse(text, failed);
  if (failed || !value.is_object()) return not_heads("no JSON object");
  DR_TRY(const json::object writers, part(value.get_object(), "writers"));
  DR_TRY(const json::object logs, part(value.get_object(), "logs"));
  Heads heads;
  for (const auto& [writer, head] : writers) {
    DR_TRY(const WriterId id, WriterId::parse(writer));
    DR_TRY(heads.writers[id.hex()], writer_head(head));
  }
  for (const auto& [stream, branches] : logs) {
    DR_TRY(heads.logs[std::string(stream)], log_ends(branches));
  }
  return heads;
}

}  // namespace daruma
