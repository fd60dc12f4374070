// tests/support/log_bugs.h: a store with one of the bugs that a log must not have, planted. The crash tests
// of the log are good only as long as they find each of them.
//
// Threads: one.
#pragma once

#include <functional>
#include <vector>

#include "storage/object_store.h"

namespace daruma {

enum class LogBug : uint8_t {
  kNone,
  kTailNeverSynced,           // sync says that it did
  kTailSyncedLate,            // sync says that it did, and does it with the next call that changes the store
  kTailHeaderNeverSynced,     // the first sync of each tail does nothing
  kPiecePutAfterTailRemoved,  // put says that it did, and does it after the next removal
  kPieceNeverPut,             // put of a piece says that it did
  kHistoryNeverPut,           // put of a history says that it did
};
inline constexpr LogBug kLogBugs[] = {LogBug::kTailNeverSynced,       LogBug::kTailSyncedLate,
                                      LogBug::kTailHeaderNeverSynced, LogBug::kPiecePutAfterTailRemoved,
                                      LogBug::kPieceNeverPut,         LogBug::kHistoryNeverPut};

class BuggyStore final : public ObjectStore {
 public:
  BuggyStore(ObjectStore& below, LogBug bug) : below_(below), bug_(bug) {}

  Status put(const std::string& name, BytesView bytes, std::optional<Instant> retain_until) override {
    catch_up();
    const bool history = name.find("/history/") != std::string::npos;
    const bool piece = name.starts_with("log/") && !history;
    if (bug_ == LogBug::kPieceNeverPut && piece) return {};
    if (bug_ == LogBug::kHistoryNeverPut && history) return {};
    if (bug_ != LogBug::kPiecePutAfterTailRemoved || !piece) return below_.put(name, bytes, retain_until);
    after_removal_.push_back([this, name, copy = to_bytes(bytes)] { return below_.put(name, copy); });
    return {};
  }
  Status remove(const std::string& name) override {
    DR_OK(below_.remove(name));
    catch_up();
    for (const auto& late : std::exchange(after_removal_, {})) static_cast<void>(late());
    return {};
  }
  Result<std::unique_ptr<Tail>> create_tail(const std::string& name) override {
    catch_up();
    DR_TRY(auto tail, below_.create_tail(name));
    return std::unique_ptr<Tail>(std::make_unique<BuggyTail>(*this, std::move(tail)));
  }

  Result<Bytes> get(const std::string& name) override { return below_.get(name); }
  Result<Bytes> get_range(const std::string& name, uint64_t offset, uint64_t length) override {
    return below_.get_range(name, offset, length);
  }
  Result<ObjectInfo> head(const std::string& name) override { return below_.head(name); }
  Result<std::vector<ObjectInfo>> list(const std::string& prefix) override { return below_.list(prefix); }
  Status extend(const std::string& name, Instant retain_until) override {
    return below_.extend(name, retain_until);
  }
  std::string url() const override { return below_.url(); }

 private:
  class BuggyTail final : public Tail {
   public:
    BuggyTail(BuggyStore& store, std::unique_ptr<Tail> below) : store_(store), below_(std::move(below)) {}
    ~BuggyTail() override {
      if (store_.late_sync_ == below_.get()) store_.late_sync_ = nullptr;
    }
    BuggyTail(const BuggyTail&) = delete;
    BuggyTail& operator=(const BuggyTail&) = delete;

    Status append(BytesView bytes) override {
      store_.catch_up();
      return below_->append(bytes);
    }
    Status sync() override {
      const bool first = std::exchange(first_, false);
      if (store_.bug_ == LogBug::kTailNeverSynced) return {};
      if (store_.bug_ == LogBug::kTailHeaderNeverSynced && first) return {};
      if (store_.bug_ != LogBug::kTailSyncedLate) return below_->sync();
      store_.late_sync_ = below_.get();
      return {};
    }

   private:
    BuggyStore& store_;
    std::unique_ptr<Tail> below_;
    bool first_ = true;
  };

  void catch_up() {
    if (Tail* tail = std::exchange(late_sync_, nullptr)) static_cast<void>(tail->sync());
  }

  ObjectStore& below_;
  const LogBug bug_;
  Tail* late_sync_ = nullptr;
  std::vector<std::function<Status()>> after_removal_;
};

}  // namespace daruma
