// storage/memory_store.h: an object store in memory, whose objects a test may look at, damage and remove.
//
// Threads: as ObjectStore; bytes() only while nobody else uses the store.
#pragma once

#include <map>

#include "base/guarded.h"
#include "storage/object_store.h"

namespace daruma {

class MemoryStore final : public ObjectStore {
 public:
  using Objects = std::map<std::string, Bytes>;

  // The bytes of an object, to damage them. It exists.
  Bytes& bytes(const std::string& name) { return objects_.lock()->at(name); }
  // Everything in it, to keep and to put back.
  Objects copy() const { return *objects_.lock(); }
  void replace(Objects objects) { *objects_.lock() = std::move(objects); }

  Status put(const std::string& name, BytesView bytes, std::optional<Instant> retain_until) override {
    if (retain_until) return Error{Errc::kRefused, "memory forgets: it cannot promise to keep " + name};
    if (!objects_.lock()->emplace(name, to_bytes(bytes)).second)
      return Error{Errc::kExists, "object '" + name + "' is in memory already"};
    return {};
  }
  Result<Bytes> get(const std::string& name) override {
    auto objects = objects_.lock();
    const auto found = objects->find(name);
    if (found == objects->end()) return not_found(name);
    return found->second;
  }
  Result<Bytes> get_range(const std::string& name, uint64_t offset, uint64_t length) override {
    auto objects = objects_.lock();
    const auto found = objects->find(name);
    if (found == objects->end()) return not_found(name);
    const BytesView bytes = found->second;
    if (offset > bytes.size() || length > bytes.size() - offset)
      return Error{Errc::kCorrupt, "object '" + name + "' ends before the bytes that were asked for"};
    return to_bytes(bytes.subspan(offset, length));
  }
  Result<ObjectInfo> head(const std::string& name) override {
    auto objects = objects_.lock();
    const auto found = objects->find(name);
    if (found == objects->end()) return not_found(name);
    return ObjectInfo{name, found->second.size()};
  }
  Result<std::vector<ObjectInfo>> list(const std::string& prefix) override {
    std::vector<ObjectInfo> found;
    auto objects = objects_.lock();  // not in the loop's head: there the lock would be gone before its body
    for (const auto& [name, bytes] : *objects)
      if (name.starts_with(prefix)) found.push_back({name, bytes.size()});
    return found;
  }
  Status remove(const std::string& name) override {
    objects_.lock()->erase(name);
    return {};
  }
  Status extend(const std::string& name, Instant) override {
    return Error{Errc::kRefused, "memory forgets: it cannot promise to keep " + name};
  }
  Result<std::unique_ptr<Tail>> create_tail(const std::string& name) override {
    DR_OK(put(name, {}, {}));
    return std::unique_ptr<Tail>(std::make_unique<MemoryTail>(*this, name));
  }
  std::string url() const override { return "memory:"; }

 private:
  class MemoryTail final : public Tail {
   public:
    MemoryTail(MemoryStore& store, std::string name) : store_(store), name_(std::move(name)) {}
    Status append(BytesView bytes) override {
      auto objects = store_.objects_.lock();
      Bytes& tail = objects->at(name_);
      tail.insert(tail.end(), bytes.begin(), bytes.end());
      return {};
    }
    Status sync() override { return {}; }

   private:
    MemoryStore& store_;
    const std::string name_;
  };

  static Error not_found(const std::string& name) {
    return {Errc::kNotFound, "object '" + name + "' is not in memory"};
  }

  mutable Guarded<Objects> objects_;
};

}  // namespace daruma
