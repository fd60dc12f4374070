// probe/dns.h: one question to a name server, over the resolver of the C library.
//
// Search lists and /etc/hosts are not used: the name is asked for as it is written.
// Errors:  kInvalid (type, server or name), kNotFound (the name, or records of this type, do not exist),
//          kUnavailable (no answer in time, or the server cannot say). Whole seconds bound it.
// Threads: any.
#pragma once

#include <string>
#include <vector>

#include "os/clock.h"

namespace daruma::probe {

struct DnsQuestion {
  std::string name;
  std::string type = "A";   // A, AAAA, CNAME, TXT, MX, NS
  std::string server = {};  // an IPv4 address, with :PORT or not; empty: those of /etc/resolv.conf
};

struct DnsAnswer {
  std::vector<std::string> values;  // sorted; of MX "10 mail.example.org"
  uint32_t ttl_seconds = 0;         // the least of them
  Duration took{};
};

Result<DnsAnswer> ask_dns(const DnsQuestion& question, Clock& clock, Deadline deadline);

}  // namespace daruma::probe
