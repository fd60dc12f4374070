// repository/envelope.h: the bytes around every object: header, wrapped key, sealed records.
//
// Format:  docs/format/envelope.md.
// Errors:  kCorrupt: bytes that do not verify, or an object standing under another object's name. kInvalid: a
// version or
//          required feature this program does not know, by name, or another repository's object.
// Bytes come from outside: fuzzed in tests/fuzz/envelope_fuzz.cc.
// Threads: a sealer or opener is used by one thread at a time; SealedObject::open is const and concurrent.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "os/random.h"
#include "repository/key.h"

namespace daruma {

using ObjectId = Id<struct ObjectTag>;

enum class ObjectType : uint8_t {
  kRepository = 1,
  kPack = 2,
  kIndex = 3,
  kCommit = 4,
  kPiece = 5,
  kHistory = 6,
  kTail = 7,
  kNote = 8,
};

enum class RecordKind : uint8_t {
  kFrame = 1,
  kLeaf = 2,
  kTable = 3,
  kManifest = 4,
  kIndex = 5,
  kCommit = 6,
  kSummary = 7,
  kLogBytes = 8,
  kHistory = 9,
  kIdentity = 10,
  kNote = 11,
};

struct Features {
  std::vector<std::string> required;
  std::vector<std::string> optional;
};

inline constexpr uint16_t kFormatVersion = 1;
inline constexpr size_t kRecordPrefix = 4;             // the u32 size before each record
inline constexpr uint32_t kRecordSizeMax = 64u << 20;  // no record is larger; a larger size is damage

// Builds one object in memory, record by record.
class ObjectSealer {
 public:
  // `name` is the object's full name, to which it is bound.
  ObjectSealer(const Keys& keys, Random& random, ObjectType type, const ObjectId& id, const std::string& name,
               BytesView clear_section = {}, const Features& features = {});

  // Seals `plain` (its first byte is its RecordKind) and appends it; returns the record's offset and its
  // sealed size.
  struct Placed {
    uint64_t offset = 0;
    uint32_t size = 0;
  };
  Placed append(BytesView plain);

  // Room for that many bytes in all.
  void reserve(uint64_t bytes) { bytes_.reserve(bytes); }

  // Bytes not yet taken: the header and records first, then what came since the last take_new. For a tail,
  // which is appended to as it grows.
  Bytes take_new();
  // Everything so far. Not after take_new.
  BytesView view() const { return bytes_; }
  Bytes take() { return std::move(bytes_); }
  uint64_t size() const { return taken_ + bytes_.size(); }
  const ObjectId& id() const { return id_; }

 private:
  RepositoryId repository_;
  ObjectType type_;
  ObjectId id_;
  SecretKey key_;
  Bytes bytes_;
  uint64_t taken_ = 0;
};

// The authenticated header of an object, and the key to its records.
class ObjectOpener {
 public:
  // Parses and authenticates the header at the front of `bytes`, which hold at least header_size() bytes;
  // what follows the header is not looked at.
  static Result<ObjectOpener> open(const Keys& keys, ObjectType type, const std::string& name,
                                   BytesView bytes);

  // How many bytes open() needs at least, from the first 16 bytes; kCorrupt if these are not an envelope.
  static Result<uint32_t> header_size(BytesView first_bytes);

  const ObjectId& id() const { return id_; }
  uint32_t header_bytes() const { return header_bytes_; }
  const Features& features() const { return features_; }
  BytesView clear_section() const { return clear_; }

  // Opens the record at `offset` given its bytes, the u32 size included; they may be followed by others.
  Result<Bytes> record(uint64_t offset, BytesView bytes) const;

 private:
  RepositoryId repository_;
  ObjectType type_{};
  ObjectId id_;
  SecretKey key_;
  uint32_t header_bytes_ = 0;
  Features features_;
  Bytes clear_;
};

// All records of a whole object, from front to back.
class RecordCursor {
 public:
  RecordCursor(const ObjectOpener& opener, BytesView object)
      : opener_(opener), object_(object), at_(opener.header_bytes()) {}
  bool at_end() const { return at_ >= object_.size(); }
  uint64_t offset() const { return at_; }
  // kCorrupt: damaged, or bytes that are no record.
  Result<Bytes> next();

 private:
  const ObjectOpener& opener_;
  BytesView object_;
  uint64_t at_;
};

}  // namespace daruma
