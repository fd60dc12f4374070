// runtime/service_folder.h: what the runtime `process` keeps of one service, in STATE/services/NAME.
//
// Format:  docs/format/services.md.
// Threads: plain values and functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/value.h"
#include "config/config.h"
#include "os/file_system.h"
#include "os/process_table.h"
#include "runtime/runtime.h"

namespace daruma::runtime {

struct ServiceFolder {
  Path path;

  Path lock() const { return path / "lock"; }             // held by the shim while it lives
  Path service() const { return path / "service.json"; }  // what to run
  Path status() const { return path / "status.json"; }    // what the shim did last
  Path socket() const { return path / "shim.sock"; }      // where it takes orders
  Path pid() const { return path / "pid"; }               // the shim's, for `kill`
  Path output() const { return path / "output.log"; }
};

// What a shim says of itself and its service; the last words of one that is gone.
struct ServiceRecord {
  std::string id;    // of this shim, in the environment of all it starts
  std::string boot;  // the machine's boot it belongs to: pids and inodes mean nothing in another
  ProcessId shim;
  uint64_t output_pipe = 0;  // inode
  State state = State::kStopped;
  Instant since;
  uint64_t restarts = 0;
  std::vector<ProcessId> mains = {};  // those that run
  std::string detail = {};
};

Value to_value(const ServiceRecord& record);
// kCorrupt: not a record.
Result<ServiceRecord> record_from(const Value& value);

// What the shim needs of a configuration: name, command, directory, environment, restart and limits.
Value to_value(const ServiceConfig& service);
Result<ServiceConfig> service_from(const Value& value);

// Replaces a small file whole. Not made durable: after a power cut nothing of what it tells is true any more.
// Any number of writers at a time.
Status put_text(FileSystem& fs, const Path& path, const std::string& text);
// nullopt: there is none, or none that can be read.
std::optional<ServiceRecord> read_record(FileSystem& fs, const ServiceFolder& folder);
// kNotFound, kCorrupt.
Result<ServiceConfig> read_service(FileSystem& fs, const ServiceFolder& folder);

// The variable that marks all that a shim starts: "DARUMA_SHIM".
extern const std::string kMark;

}  // namespace daruma::runtime
