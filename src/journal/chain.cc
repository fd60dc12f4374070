#include "journal/chain.h"

#include <algorithm>

#include "base/digest.h"

namespace daruma {
namespace {

// A hash of an event is never the hash of anything else that Daruma hashes.
constexpr std::string_view kDomain = "daruma journal event 1";

Status check_name(std::string_view what, const std::string& name) {
  const bool printable = std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (!name.empty() && name.size() <= kEventNameMost && printable) return {};
  return Error{Errc::kInvalid, "journal: the " + std::string(what) + " '" + name.substr(0, kEventNameMost) +
                                   "' is not of 1 to " + std::to_string(kEventNameMost) +
                                   " printable characters without spaces"};
}

}  // namespace

EventHash chain_hash(const EventHash& previous, const WrittenEvent& event) {
  ByteWriter out;
  out.put_string(kDomain);
  out.put_bytes(previous);
  out.put(event.number);
  out.put_string(event.stream);
  out.put(event.position);
  out.put(static_cast<uint64_t>(event.at.micros));
  out.put_string(event.kind);
  out.put_string(event.body);
  return sha256(out.view());
}

Result<WrittenEvent> write_event(const std::string& stream, const NewEvent& event) {
  DR_OK(check_name("stream", stream));
  DR_OK(check_name("kind", event.kind));
  WrittenEvent written;
  written.stream = stream;
  written.kind = event.kind;
  written.body = to_json(event.body);
  const std::string where = "journal: the body of an event '" + event.kind + "' for '" + stream + "'";
  if (written.body.size() > kEventBodyMost)
    return Error{Errc::kInvalid, where + " has " + std::to_string(written.body.size()) +
                                     " bytes, more than " + std::to_string(kEventBodyMost)};
  if (const auto readable = parse_json(written.body); !readable.ok())
    return Error{Errc::kInvalid, where + " could not be read again: " + readable.error().what};
  return written;
}

Result<JournalEvent> read_event(WrittenEvent event) {
  auto body = parse_json(event.body);
  if (!body.ok())
    return Error{Errc::kCorrupt, "journal: event " + std::to_string(event.number) +
                                     ": its body cannot be read: " + body.error().what};
  return JournalEvent{event.number, std::move(event.stream), event.position,
                      event.at,     std::move(event.kind),   *std::move(body)};
}

Error stream_moved_on(const std::string& stream, uint64_t after, uint64_t last) {
  return {Errc::kRefused,
          "journal: '" + stream + "' ends at event " + std::to_string(last) + ", not at " +
              std::to_string(after) + ": somebody else appended",
          "read the stream again and decide anew"};
}

}  // namespace daruma
