// repository/repository.h: the encrypted, deduplicated store of snapshots and logs: opening it, its objects,
// its commits.
//
// Format:  docs/format/README.md.
// Copies:  a repository has one or more copies. This version works with one; everything above goes through
// here, so that
//          more copies change nothing there.
// Errors:  as ObjectStore; kCorrupt names the object. kInvalid: wrong key, unknown version or feature.
// Threads: const methods and put() may be called concurrently.
// Owns:    nothing; stores, clock and randomness are borrowed and outlive it.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/guarded.h"
#include "os/clock.h"
#include "repository/commit.h"
#include "storage/object_store.h"

namespace daruma {

struct Copy {
  std::string name;  // as in daruma.yaml
  ObjectStore* store = nullptr;
};

class Repository {
 public:
  // Makes the identity object (and `keys/<epoch>` when there is a passphrase). kExists: there is a repository
  // already.
  static Status create(const Copy& copy, const KeyFile& key, Clock& clock, Random& random,
                       BytesView passphrase_object = {});
  // kNotFound: nothing there, with the hint to run `daruma init`. kInvalid: another repository's key.
  static Result<std::unique_ptr<Repository>> open(std::vector<Copy> copies, const KeyFile& key, Clock& clock,
                                                  Random& random);

  const Keys& keys() const { return keys_; }
  const RepositoryId& id() const { return keys_.repository(); }
  Clock& clock() const { return clock_; }
  Random& random() const { return random_; }
  ObjectStore& store() const { return *copies_.front().store; }
  const std::vector<Copy>& copies() const { return copies_; }

  // Creates a single-record object.
  Status put_record(const std::string& name, ObjectType type, BytesView plain, BytesView clear_section = {});
  // Reads an object whole, authenticated. Its records come through `each` in order, with their offsets.
  Status read_object(const std::string& name, ObjectType type,
                     const std::function<Status(uint64_t offset, Bytes record)>& each) const;
  // One record of a pack. The pack's key is kept, so a second read costs one range request. kCorrupt also
  // when the pack is missing: somebody named it.
  Result<Bytes> read_record(const Location& location) const;

  struct StoredCommit {
    Commit commit;
    std::vector<PackSize> packs;
    CommitHash hash;
  };
  // Appends a snapshot's commit to `writer`'s chain; fills number, parent and time. Loses no race: when the
  // number is taken it follows the one that took it.
  Result<StoredCommit> append_commit(const WriterId& writer, Commit commit,
                                     const std::vector<PackSize>& packs);
  // The union of all chains, oldest first. A damaged or missing commit is reported through `damage` with its
  // name and what is known, and the rest of its chain is still read; without `damage` it is an error.
  using DamageSink = std::function<void(const std::string& object, const Error& error)>;
  Result<std::vector<StoredCommit>> commits(const DamageSink& damage = {}) const;
  // The newest number of a chain; 0 when it is empty. By doubling and bisection.
  Result<uint64_t> newest_commit(const WriterId& writer) const;

 private:
  Repository(std::vector<Copy> copies, const KeyFile& key, Clock& clock, Random& random);
  Result<StoredCommit> read_commit(const WriterId& writer, uint64_t number) const;
  Status read_chain(const WriterId& writer, const std::set<uint64_t>& numbers, const DamageSink& damage,
                    std::vector<StoredCommit>& out) const;
  Result<std::shared_ptr<const ObjectOpener>> pack_opener(const PackId& pack) const;

  std::vector<Copy> copies_;
  Keys keys_;
  Clock& clock_;
  Random& random_;
  // Shared: a reader may still use a pack's key while another drops it from the cache.
  mutable Guarded<std::unordered_map<PackId, std::shared_ptr<const ObjectOpener>>> openers_;
};

}  // namespace daruma
