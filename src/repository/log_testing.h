// repository/log_testing.h: a repository in memory and verbs to write and read logs, for tests of the log.
//
// Every byte of a log follows from its branch and position, so any range can be checked without being kept.
#pragma once

#include <gmock/gmock.h>

#include <atomic>
#include <functional>

#include "os/clock.h"
#include "repository/log.h"
#include "repository/log_names.h"
#include "repository/log_tail.h"
#include "storage/memory_store.h"

namespace daruma {

inline Bytes log_content(Branch branch, uint64_t from, uint64_t to) {
  Bytes out(to - from);
  for (uint64_t at = from; at < to; ++at)
    out[at - from] = static_cast<std::byte>((at * 2654435761u + branch * 97u + (at >> 9)) >> 8);
  return out;
}

// A store that a test may make fail, observe or interfere with. An unset hook does nothing.
class HookedStore final : public ObjectStore {
 public:
  explicit HookedStore(ObjectStore& below) : below_(below) {}

  std::function<Status(const std::string&name)> before_put, before_remove, before_get, before_tail_sync;
  std::function<void(const std::string& prefix)> after_list;
  std::function<void(Bytes& object)> after_get;
  std::atomic<uint64_t> bytes_read = 0;

  Status put(const std::string& name, BytesView bytes, std::optional<Instant> retain_until) override {
    if (before_put) DR_OK(before_put(name));
    return below_.put(name, bytes, retain_until);
  }
  Result<Bytes> get(const std::string& name) override {
    if (before_get) DR_OK(before_get(name));
    auto bytes = below_.get(name);
    if (bytes.ok()) bytes_read += bytes->size();
    if (bytes.ok() && after_get) after_get(*bytes);
    return bytes;
  }
  Result<Bytes> get_range(const std::string& name, uint64_t offset, uint64_t length) override {
    bytes_read += length;
    return below_.get_range(name, offset, length);
  }
  Result<ObjectInfo> head(const std::string& name) override { return below_.head(name); }
  Result<std::vector<ObjectInfo>> list(const std::string& prefix) override {
    auto objects = below_.list(prefix);
    if (after_list) after_list(prefix);
    return objects;
  }
  Status remove(const std::string& name) override {
    if (before_remove) DR_OK(before_remove(name));
    return below_.remove(name);
  }
  Status extend(const std::string& name, Instant retain_until) override {
    return below_.extend(name, retain_until);
  }
  Result<std::unique_ptr<Tail>> create_tail(const std::string& name) override {
    DR_TRY(auto tail, below_.create_tail(name));
    return std::unique_ptr<Tail>(std::make_unique<HookedTail>(*this, name, std::move(tail)));
  }
  std::string url() const override { return below_.url(); }

 private:
  class HookedTail final : public Tail {
   public:
    HookedTail(HookedStore& store, std::string name, std::unique_ptr<Tail> below)
        : store_(store), name_(std::move(name)), below_(std::move(below)) {}
    Status append(BytesView bytes) override { return below_->append(bytes); }
    Status sync() override {
      if (store_.before_tail_sync) DR_OK(store_.before_tail_sync(name_));
      return below_->sync();
    }

   private:
    HookedStore& store_;
    const std::string name_;
    std::unique_ptr<Tail> below_;
  };

  ObjectStore& below_;
};

class LogFixture : public testing::Test {
 protected:
  static constexpr uint64_t kPiece = 4096;

  LogFixture() {
    KeyFile key;
    key.repository = random->id<RepositoryId>();
    random->fill(key.master.writable());
    EXPECT_TRUE(Repository::create({"here", &store}, key, clock, *random).ok());
    auto opened = Repository::open({{"here", &store}}, key, clock, *random);
    EXPECT_TRUE(opened.ok());
    repository = *std::move(opened);
  }

  LogWriter::Options options() {
    LogWriter::Options options;
    options.stream = stream;
    options.receiver = "here";
    options.piece_bytes = kPiece;
    options.seal_in_background = in_background;
    options.summarize = [](Branch branch, uint64_t position, BytesView bytes) {
      return fmt_summary(branch, position, bytes.size());
    };
    return options;
  }
  static std::string fmt_summary(Branch branch, uint64_t position, uint64_t size) {
    return std::to_string(branch) + ":" + std::to_string(position) + "+" + std::to_string(size);
  }

  // The receiver starts (again): the writer that was there is gone.
  Status start() {
    writer.reset();
    auto opened = LogWriter::open(*repository, options());
    if (!opened.ok()) return std::move(opened).error();
    writer = *std::move(opened);
    return {};
  }
  Status append(Branch branch, uint64_t from, uint64_t to) {
    return writer->append(branch, from, log_content(branch, from, to));
  }
  Status append_synced(Branch branch, uint64_t from, uint64_t to) {
    DR_OK(append(branch, from, to));
    return writer->sync();
  }
  // A tail that some earlier process left: one record per step of `ends`.
  std::string leave_tail(Branch branch, uint64_t from, uint32_t generation, std::vector<uint64_t> ends,
                         Branch content_of = 0) {
    const std::string name = tail_name(stream, {"here", branch, from, generation});
    auto tail = TailWriter::create(*repository, name);
    EXPECT_TRUE(tail.ok());
    uint64_t at = from;
    for (const uint64_t end : ends) {
      EXPECT_TRUE((*tail)->append(at, log_content(content_of ? content_of : branch, at, end)).ok());
      at = end;
    }
    return name;
  }

  std::unique_ptr<LogReader> reader() {
    auto opened = LogReader::open(*repository, stream);
    EXPECT_TRUE(opened.ok()) << opened.error().what;
    return opened.ok() ? *std::move(opened) : nullptr;
  }
  // "branch:from-to ..." as a new reader finds them.
  std::string ranges() {
    std::string out;
    const auto log = reader();
    if (!log) return "it cannot be opened";
    for (const LogRange& range : log->ranges())
      out += (out.empty() ? "" : " ") + std::to_string(range.branch) + ":" + std::to_string(range.from) +
             "-" + std::to_string(range.to);
    return out;
  }
  // Whether a new reader gives these bytes, and all of them right.
  testing::AssertionResult holds(Branch branch, uint64_t from, uint64_t to) {
    const auto log = reader();
    if (!log) return testing::AssertionFailure() << "it cannot be opened";
    const auto bytes = log->read(branch, from, to - from);
    if (!bytes.ok()) return testing::AssertionFailure() << bytes.error().what;
    if (*bytes != log_content(branch, from, to)) return testing::AssertionFailure() << "other bytes";
    return testing::AssertionSuccess();
  }
  // Names below log/<stream>/ and tails/<stream>/, without these prefixes.
  std::vector<std::string> names() {
    std::vector<std::string> out;
    for (const std::string& prefix : {log_prefix(stream), tails_prefix(stream)}) {
      const auto objects = memory.list(prefix);
      for (const ObjectInfo& object : *objects) out.push_back(object.name.substr(prefix.size()));
    }
    return out;
  }
  std::string end() {
    const auto at = writer->end();
    return at ? std::to_string(at->branch) + ":" + std::to_string(at->position) : "nothing open";
  }

  const LogStream stream{"bookings", 0x68f3};
  bool in_background = false;
  ManualClock clock;
  std::unique_ptr<Random> random = seeded_random(7);
  MemoryStore memory;
  HookedStore store{memory};
  std::unique_ptr<Repository> repository;
  std::unique_ptr<LogWriter> writer;
};

}  // namespace daruma
