#include "datastore/postgres/server_error.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "fmt/format.h"

namespace daruma::postgres {

namespace {

enum class Scope : uint8_t { kAny, kReplication };

struct Meaning {
  std::string_view sqlstate;  // whole, or the beginning that its class shares
  Errc code;
  Scope scope;
  std::string (*hint)(const ServerFault&, const Peer&);
};

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// The address the server saw us come from, out of `host "192.0.2.7"`; else what stands for it.
std::string address_seen(const std::string& message) {
  constexpr std::string_view kBefore = "host \"";
  const size_t from = message.find(kBefore);
  if (from == std::string::npos) return "OUR-ADDRESS/32";
  const size_t start = from + kBefore.size();
  const std::string address = message.substr(start, message.find('"', start) - start);
  return address + (contains(address, ":") ? "/128" : "/32");
}

std::string log_in_hint(const ServerFault& fault, const Peer& peer) {
  if (!contains(fault.message, "pg_hba.conf")) {
    return fmt::format("as a superuser: CREATE ROLE {0} LOGIN{1}; or ALTER ROLE {0} LOGIN{1};", peer.user,
                       peer.replication ? " REPLICATION" : "");
  }
  const std::string database = peer.replication ? "replication" : "all";
  const bool local = peer.host.empty() || peer.host.starts_with('/');
  const std::string line =
      local ? fmt::format("local {} {} scram-sha-256", database, peer.user)
            : fmt::format("host {} {} {} scram-sha-256", database, peer.user, address_seen(fault.message));
  return fmt::format("add this line to the server's pg_hba.conf: \"{}\", then: SELECT pg_reload_conf();",
                     line);
}

std::string password_hint(const ServerFault&, const Peer& peer) {
  return fmt::format(
      "check the password given for role {} (daruma.yaml: connection.password says where it is)", peer.user);
}

std::string rights_hint(const ServerFault& fault, const Peer& peer) {
  if (contains(fault.message + fault.detail, "pg_read_all_settings")) {
    return fmt::format("as a superuser: GRANT pg_read_all_settings TO {};", peer.user);
  }
  if (peer.replication) return fmt::format("as a superuser: ALTER ROLE {} REPLICATION;", peer.user);
  constexpr std::string_view kFunction = "permission denied for function ";
  if (fault.message.starts_with(kFunction)) {
    return fmt::format("as a superuser: GRANT EXECUTE ON FUNCTION {} TO {};",
                       fault.message.substr(kFunction.size()), peer.user);
  }
  return fmt::format("as a superuser or the owner: GRANT what the message names TO {};", peer.user);
}

std::string senders_hint(const ServerFault&, const Peer& peer) {
  return peer.replication
             ? "raise max_wal_senders (and max_connections), or end a receiver that is not needed"
             : "raise max_connections, or end sessions that are not needed";
}

std::string slots_hint(const ServerFault&, const Peer&) {
  return "raise max_replication_slots, or drop a slot that is not needed (see pg_replication_slots)";
}

std::string busy_hint(const ServerFault&, const Peer&) {
  return "another connection uses it: see active_pid in pg_replication_slots; an old one of ours ends by "
         "itself "
         "within wal_sender_timeout";
}

std::string no_hint(const ServerFault&, const Peer&) { return ""; }

// First match wins; what matches nothing is kFailed.
constexpr Meaning kMeanings[] = {
    {"08", Errc::kUnavailable, Scope::kAny, no_hint},           // connection exceptions
    {"28P01", Errc::kRefused, Scope::kAny, password_hint},      // invalid_password
    {"28", Errc::kRefused, Scope::kAny, log_in_hint},           // pg_hba.conf, no such role, may not log in
    {"42501", Errc::kRefused, Scope::kAny, rights_hint},        // insufficient_privilege
    {"42602", Errc::kInvalid, Scope::kReplication, no_hint},    // invalid_name
    {"42704", Errc::kNotFound, Scope::kReplication, no_hint},   // undefined_object: slot, setting
    {"42710", Errc::kExists, Scope::kReplication, no_hint},     // duplicate_object: slot
    {"53300", Errc::kUnavailable, Scope::kAny, senders_hint},   // too_many_connections
    {"53400", Errc::kFailed, Scope::kReplication, slots_hint},  // configuration_limit_exceeded
    {"55006", Errc::kUnavailable, Scope::kReplication, busy_hint},  // object_in_use: slot of another receiver
    {"57P", Errc::kUnavailable, Scope::kAny, no_hint},              // shutting down, starting up, crashed
    {"58P01", Errc::kNotFound, Scope::kReplication, no_hint},       // undefined_file: WAL or history removed
};

}  // namespace

Error server_error(const ServerFault& fault, const Peer& peer, const std::string& doing) {
  Error error{Errc::kFailed, doing + ": " + fault.message};
  if (!fault.detail.empty()) error.what += " (" + fault.detail + ")";
  if (fault.sqlstate.empty()) {
    error.code = Errc::kUnavailable;
    return error;
  }
  error.what += " [" + fault.sqlstate + "]";
  for (const Meaning& meaning : kMeanings) {
    if (!fault.sqlstate.starts_with(meaning.sqlstate)) continue;
    if (meaning.scope == Scope::kReplication && !peer.replication) continue;
    error.code = meaning.code;
    error.hint = meaning.hint(fault, peer);
    break;
  }
  return error;
}

ServerFault parse_connection_failure(const std::string& text) {
  const auto code_character = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
  constexpr size_t kBefore = 3;  // ":  "
  constexpr size_t kCode = 5;
  for (size_t at = text.rfind(":  "); at != std::string::npos;
       at = at == 0 ? at : text.rfind(":  ", at - 1)) {
    const std::string code = text.substr(at + kBefore, kCode);
    const size_t after = at + kBefore + kCode;
    if (code.size() == kCode && std::all_of(code.begin(), code.end(), code_character) &&
        text.compare(after, 2, ": ") == 0) {
      return {code, text.substr(after + 2, text.find('\n', after) - after - 2)};
    }
    if (at == 0) break;
  }
  std::string plain;  // one line, however libpq broke and indented it
  for (const char c : text) {
    const bool blank = c == '\n' || c == '\t' || c == ' ';
    if (!blank)
      plain += c;
    else if (!plain.empty() && plain.back() != ' ')
      plain += ' ';
  }
  if (plain.ends_with(' ')) plain.pop_back();
  return {"", plain};
}

}  // namespace daruma::postgres
