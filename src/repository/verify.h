// repository/verify.h: is everything that the repository promises there, whole, and what it should be?
//
// Format:  docs/format/README.md.
// Method:  from the commits down: chains, manifests, tables, leaf maps, packs by presence and size; logs by
// their names
//          and tails. With read_data every frame is read, opened, decompressed and every page hashed; every
//          log piece is read. It goes on after damage and names all of it.
// Rollback: a copy cannot show by itself that its newest objects were removed together. `memory` (what this
// installation
//          last saw acknowledged) can; without it the report says so.
// Threads: pure function of its arguments.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "repository/log.h"
#include "repository/repository.h"

namespace daruma {

// What an installation remembers outside the copies: state/heads.json.
struct Heads {
  struct WriterHead {
    uint64_t number = 0;
    CommitHash hash;
  };
  std::map<std::string, WriterHead> writers;  // by writer id, hex
  std::map<std::string, std::map<Branch, uint64_t>>
      logs;  // by LogStream::path(): acknowledged end per branch

  bool empty() const { return writers.empty() && logs.empty(); }
};
std::string print_heads(const Heads& heads);       // JSON
Result<Heads> parse_heads(std::string_view json);  // kInvalid: not such a text

struct Finding {
  enum class Severity : uint8_t {
    kDamage,  // bytes are wrong or gone that a recovery point needs
    kLost,    // acknowledged, remembered, and not there any more (rollback, removal)
    kHole,    // a log holds nothing between two ranges: capture was interrupted then, or pieces were removed;
              // a copy cannot show which, and nothing inside can be recovered
    kGarbage,  // nothing needs it: left-overs of crashes
  };
  Severity severity = Severity::kDamage;
  std::string object;   // name in the copy
  std::string what;     // the cause, with file and block where known
  std::string affects;  // which recovery points: "snapshot 3f… of bookings (2026-…)", "log bookings/…
                        // timeline 1 from …"
};

struct VerifyReport {
  uint64_t objects = 0;
  uint64_t bytes_read = 0;
  uint64_t snapshots = 0;
  uint64_t snapshots_good = 0;
  uint64_t pages_checked = 0;
  std::vector<LogRange> ranges;  // of all streams
  std::vector<Finding> findings;
  bool had_memory = false;  // else: "newest state not provable"
  bool ok() const;          // no damage, nothing lost; holes are not held against it
};

struct VerifyOptions {
  bool read_data = false;
  const Heads* memory = nullptr;
  std::function<void(uint64_t bytes_done, uint64_t bytes_total)> progress = {};
};

// An error only when the repository cannot be listed at all.
Result<VerifyReport> verify(const Repository& repository, const VerifyOptions& options);

}  // namespace daruma
