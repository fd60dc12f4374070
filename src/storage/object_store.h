// storage/object_store.h: one place that holds named, immutable objects: a directory now, an S3 bucket later.
//
// Names:   '/'-separated parts of [A-Za-z0-9._-], no empty part, none that starts with '.'; at most 200
//          bytes.
// Order:   put returns after the object is durable and visible whole; it is never visible in part.
// Errors:  kInvalid (name against the rules), kExists (create-only; what is there is durable), kNotFound,
//          kNoSpace, kUnavailable (retry may help), kRefused (a lock forbids it).
// Threads: every method may be called concurrently. Two puts of one name: exactly one succeeds.
// Owns:    nothing; the outside world behind it (file system, network) is borrowed. One conformance suite
//          (storage/object_store_conformance.h) holds for every implementation.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"

namespace daruma {

struct ObjectInfo {
  std::string name;
  uint64_t size = 0;
};

// The one kind of file that grows: the open end of a log in a directory copy. Appended to by one writer.
class Tail {
 public:
  virtual ~Tail() = default;
  // Appends; visible to readers of the store at once, durable after sync. A failed append may leave a part
  // behind: after any failure the tail takes no more appends (kFailed), because what is on disk is no longer
  // known.
  virtual Status append(BytesView bytes) = 0;
  // Everything appended so far is durable when it returns success.
  virtual Status sync() = 0;
};

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // Creates `name`. `retain_until`: nobody deletes it before; refused where the store cannot promise that.
  virtual Status put(const std::string& name, BytesView bytes, std::optional<Instant> retain_until = {}) = 0;
  // The whole object.
  virtual Result<Bytes> get(const std::string& name) = 0;
  // Exactly `length` bytes at `offset`. kCorrupt: the object ends before.
  virtual Result<Bytes> get_range(const std::string& name, uint64_t offset, uint64_t length) = 0;
  virtual Result<ObjectInfo> head(const std::string& name) = 0;
  // Every object whose name starts with `prefix` (the start of a legal name, or ""), sorted by name. Nothing
  // found is an empty list.
  virtual Result<std::vector<ObjectInfo>> list(const std::string& prefix) = 0;
  // A missing object is success: removal is idempotent.
  virtual Status remove(const std::string& name) = 0;
  // Moves the end of a retention later, never earlier.
  virtual Status extend(const std::string& name, Instant retain_until) = 0;

  // Creates a tail, readable under `name` like an object, zero-filled past its appended end.
  // nullopt-like: returns kRefused where the store has no tails (object stores; they take sealed pieces).
  virtual Result<std::unique_ptr<Tail>> create_tail(const std::string& name) = 0;

  // For messages: where this is, e.g. "file:///var/lib/daruma/repo".
  virtual std::string url() const = 0;
};

// kInvalid with the reason when `name` breaks the rules above.
Status check_object_name(const std::string& name);
// The same for the start of a name, as list takes it.
Status check_object_prefix(const std::string& prefix);

}  // namespace daruma
