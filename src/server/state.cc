#include "server/state.h"

#include <fmt/format.h>

#include "base/size.h"
#include "os/files.h"

namespace daruma {
namespace {

constexpr const char* kHeads = "heads.json";
constexpr Duration kHeadsLockWithin = std::chrono::seconds(5);
// is_running() holds a lock for an instant: whoever wants it meanwhile tries again.
constexpr Duration kActivityLockWithin = std::chrono::milliseconds(500);
constexpr Duration kLockRetry = std::chrono::milliseconds(10);

// Reads the id, or makes one. Two processes that make one at the same time agree on the first.
Result<WriterId> read_or_make_writer(FileSystem& fs, Random& random, const Path& path) {
  const Path file = path / "writer";
  auto text = read_file(fs, file, 1 * kKiB);
  if (text.is(Errc::kNotFound)) {
    const Path fresh = path / ("writer." + random.id<Id<struct FreshTag, 4>>().hex());
    DR_OK(replace_file(fs, fresh, as_bytes(random.id<WriterId>().hex() + "\n")));
    const Status linked = fs.link(fresh, file);
    if (!linked.ok() && !linked.is(Errc::kExists)) return linked.error();
    DR_OK(fs.remove_file(fresh));
    DR_OK(fs.sync_dir(path));
    text = read_file(fs, file, 1 * kKiB);
  }
  DR_OK(text);
  const std::string_view line = as_text(*text);
  return WriterId::parse(line.substr(0, line.find('\n')));
}

// kRefused: somebody held it all the time.
Result<std::unique_ptr<FileLock>> lock_within(FileSystem& fs, Clock& clock, const Path& path,
                                              Duration within) {
  const Deadline deadline = clock.after(within);
  auto lock = fs.lock(path);
  while (lock.is(Errc::kRefused) && !deadline.passed(clock.mono())) {
    clock.pause(kLockRetry);
    lock = fs.lock(path);
  }
  return lock;
}

}  // namespace

Result<StateDirectory> StateDirectory::open(FileSystem& fs, Clock& clock, Random& random, const Path& path) {
  StateDirectory state(fs, clock, path);
  DR_OK(create_dirs(fs, path / "locks", 0700));
  auto writer = read_or_make_writer(fs, random, path);
  if (!writer.ok()) return std::move(writer).error().in((path / "writer").string());
  state.writer_ = *writer;
  return state;
}

Path StateDirectory::lock_path(Activity activity, const std::string& datastore) const {
  return path_ / "locks" /
         fmt::format("{}-{}", activity == Activity::kCapture ? "capture" : "backup", datastore);
}

Result<std::unique_ptr<FileLock>> StateDirectory::lock(Activity activity, const std::string& datastore) {
  auto lock = lock_within(*fs_, *clock_, lock_path(activity, datastore), kActivityLockWithin);
  if (!lock.is(Errc::kRefused)) return lock;
  if (activity == Activity::kCapture)
    return Error{Errc::kRefused, fmt::format("another `daruma serve` captures '{}' already", datastore),
                 "one receiver per datastore is enough"};
  return Error{Errc::kRefused, fmt::format("a backup of '{}' is running already", datastore),
               "let it finish"};
}

Result<bool> StateDirectory::is_running(Activity activity, const std::string& datastore) {
  const auto lock = fs_->lock(lock_path(activity, datastore));
  if (lock.ok()) return false;
  if (lock.is(Errc::kRefused)) return true;
  return lock.error();
}

Result<Heads> StateDirectory::heads() {
  const auto text = read_file(*fs_, path_ / kHeads, 16 * kMiB);
  if (text.is(Errc::kNotFound)) return Heads{};
  DR_OK(text);
  auto heads = parse_heads(as_text(*text));
  if (!heads.ok()) return std::move(heads).error().in((path_ / kHeads).string());
  return heads;
}

template <class Change>
Status StateDirectory::change_heads(Change change) {
  DR_TRY(const auto lock, lock_within(*fs_, *clock_, path_ / "locks" / "heads", kHeadsLockWithin));
  DR_TRY(Heads heads, this->heads());
  change(heads);
  return replace_file(*fs_, path_ / kHeads, as_bytes(print_heads(heads)));
}

Status StateDirectory::remember_commit(const WriterId& writer, uint64_t number, const CommitHash& hash) {
  return change_heads([&](Heads& heads) {
    Heads::WriterHead& head = heads.writers[writer.hex()];
    if (number > head.number) head = {number, hash};
  });
}

Status StateDirectory::remember_log(const std::string& stream, Branch branch, uint64_t end) {
  return change_heads([&](Heads& heads) {
    uint64_t& known = heads.logs[stream][branch];
    known = std::max(known, end);
  });
}

Status StateDirectory::publish(const std::string& name, const std::string& text) {
  return replace_file(*fs_, path_ / name, as_bytes(text));
}

Result<std::optional<std::string>> StateDirectory::published(const std::string& name) {
  const auto text = read_file(*fs_, path_ / name, 1 * kMiB);
  if (text.is(Errc::kNotFound)) return std::optional<std::string>{};
  DR_OK(text);
  return std::optional(std::string(as_text(*text)));
}

}  // namespace daruma
