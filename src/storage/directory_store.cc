#include "storage/directory_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/guarded.h"
#include "os/files.h"
#include "storage/directory_tail.h"

namespace daruma {
namespace {

constexpr Duration kLeftOverAge = 24h;

class DirectoryStore final : public ObjectStore {
 public:
  DirectoryStore(FileSystem& fs, Random& random, Path root)
      : fs_(fs), random_(random), root_(std::move(root)) {}

  // Removes what crashed writers left in .staging. Ages are told by the file system's own clock: that of a
  // file made now, because the disk may be another host's.
  Status sweep() {
    const auto entries = fs_.list_dir(staging());
    if (entries.is(Errc::kNotFound) || (entries.ok() && entries->empty())) return {};
    if (!entries.ok()) return entries.error();
    const Path probe = staged_name();
    const auto file = fs_.create(probe, 0600);
    if (file.is(Errc::kRefused) || file.is(Errc::kNoSpace)) return {};  // still good for reading
    if (!file.ok()) return file.error();
    DR_TRY(const FileInfo now, fs_.info(probe));
    for (const DirectoryEntry& entry : *entries) {
      const auto info = fs_.info(staging() / entry.name);
      if (!info.ok() || now.modified - info->modified <= kLeftOverAge) continue;
      const Status removed = fs_.remove_file(staging() / entry.name);
      if (!removed.ok() && !removed.is(Errc::kNotFound)) return removed;
    }
    return fs_.remove_file(probe);
  }

  Status put(const std::string& name, BytesView bytes, std::optional<Instant> retain_until) override {
    DR_OK(check_object_name(name));
    if (retain_until) return no_retention(name);
    DR_OK(ensure_dir(staging()));
    const Path staged = staged_name();
    Status status = write_staged(staged, bytes);
    if (status.ok()) status = publish(staged, name);
    // Whether this works changes nothing about the object; what stays is swept one day.
    static_cast<void>(fs_.remove_file(staged));
    return status;
  }

  Result<Bytes> get(const std::string& name) override {
    DR_TRY(const auto file, open(name));
    DR_TRY(const uint64_t size, file->size());
    return read_exactly(*file, name, 0, size);
  }

  Result<Bytes> get_range(const std::string& name, uint64_t offset, uint64_t length) override {
    DR_TRY(const auto file, open(name));
    DR_TRY(const uint64_t size, file->size());
    // Asked before memory is taken: the length may come from damaged bytes.
    if (offset > size || length > size - offset) return too_short(name, offset, length, size);
    return read_exactly(*file, name, offset, length);
  }

  Result<ObjectInfo> head(const std::string& name) override {
    DR_OK(check_object_name(name));
    const auto info = fs_.info(path_of(name));
    if (info.ok() && info->type == FileType::kFile) return ObjectInfo{name, info->size};
    if (info.ok() || info.is(Errc::kNotFound)) return not_found(name);
    return info.error();
  }

  Result<std::vector<ObjectInfo>> list(const std::string& prefix) override {
    DR_OK(check_object_prefix(prefix));
    std::vector<ObjectInfo> objects;
    const size_t slash = prefix.rfind('/');
    DR_OK(list_into(objects, slash == std::string::npos ? "" : prefix.substr(0, slash + 1), prefix));
    std::sort(objects.begin(), objects.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return objects;
  }

  Status remove(const std::string& name) override {
    DR_OK(check_object_name(name));
    const Path path = path_of(name);
    const Status status = fs_.remove_file(path);
    if (status.is(Errc::kNotFound)) return {};
    DR_OK(status);
    return fs_.sync_dir(path.parent_path());
  }

  Status extend(const std::string& name, Instant) override {
    DR_OK(head(name));
    return no_retention(name);
  }

  Result<std::unique_ptr<Tail>> create_tail(const std::string& name) override {
    DR_OK(check_object_name(name));
    const Path path = path_of(name);
    DR_OK(ensure_dir(path.parent_path()));
    auto tail = create_directory_tail(fs_, path);
    if (tail.is(Errc::kExists)) return exists_already(name);
    return tail;
  }

  std::string url() const override { return "file://" + root_.native(); }

 private:
  Path staging() const { return root_ / ".staging"; }
  Path staged_name() { return staging() / random_.id<Id<struct StagedTag>>().hex(); }
  Path path_of(const std::string& name) const { return root_ / name; }

  // A name is durable only if every directory above it is. One that exists may have been made a moment ago by
  // somebody who has not synced it, so each is synced into its parent once by this store before it is relied
  // on.
  Status ensure_dir(const Path& dir) {
    if (dir == root_ || durable_dirs_.lock()->contains(dir)) return {};
    DR_OK(ensure_dir(dir.parent_path()));
    const Status made = fs_.create_dir(dir, 0700);
    if (!made.ok() && !made.is(Errc::kExists)) return made;
    DR_OK(fs_.sync_dir(dir.parent_path()));
    durable_dirs_.lock()->insert(dir);
    return {};
  }

  Status write_staged(const Path& staged, BytesView bytes) {
    DR_TRY(const auto file, fs_.create(staged, 0600));
    DR_OK(file->write_at(0, bytes));
    return file->sync();
  }

  Status publish(const Path& staged, const std::string& name) {
    const Path path = path_of(name);
    DR_OK(ensure_dir(path.parent_path()));
    const Status linked = fs_.link(staged, path);
    if (!linked.ok() && !linked.is(Errc::kExists)) return linked;
    // Also for kExists: whoever made the object may not have got as far as this sync, and a caller to whom
    // "it is there already" is as good as success relies on it.
    DR_OK(fs_.sync_dir(path.parent_path()));
    return linked.ok() ? Status() : exists_already(name);
  }

  Result<std::unique_ptr<File>> open(const std::string& name) {
    DR_OK(check_object_name(name));
    auto file = fs_.open_read(path_of(name));
    if (!file.ok()) DR_OK(head(name));  // says kNotFound, also of a directory
    return file;
  }

  Result<Bytes> read_exactly(const File& file, const std::string& name, uint64_t offset,
                             uint64_t length) const {
    Bytes bytes(length);
    DR_TRY(const size_t n, file.read_at(offset, bytes));
    if (n != length) return too_short(name, offset, length, offset + n);
    return bytes;
  }

  // Adds what lies in `folder` ("" or ending in '/') and below and starts with `prefix`.
  Status list_into(std::vector<ObjectInfo>& objects, const std::string& folder, const std::string& prefix) {
    const auto entries = fs_.list_dir(root_ / folder);
    if (entries.is(Errc::kNotFound)) return {};
    if (!entries.ok()) return entries.error();
    for (const DirectoryEntry& entry : *entries) {
      const std::string name = folder + entry.name;
      if (entry.name.front() == '.' || !name.starts_with(prefix)) continue;
      if (entry.type == FileType::kDirectory) DR_OK(list_into(objects, name + "/", prefix));
      if (entry.type != FileType::kFile) continue;
      const auto info = fs_.info(root_ / name);
      if (info.is(Errc::kNotFound)) continue;  // removed while we were looking
      if (!info.ok()) return info.error();
      objects.push_back({name, info->size});
    }
    return {};
  }

  Error not_found(const std::string& name) const {
    return {Errc::kNotFound, fmt::format("object '{}' is not in {}", name, url())};
  }
  Error exists_already(const std::string& name) const {
    return {Errc::kExists, fmt::format("object '{}' is in {} already", name, url())};
  }
  Error no_retention(const std::string& name) const {
    return {Errc::kRefused,
            fmt::format("cannot promise to keep object '{}': {} is a plain directory", name, url()),
            "use an object store with object lock for a protected period"};
  }
  Error too_short(const std::string& name, uint64_t offset, uint64_t length, uint64_t size) const {
    return {Errc::kCorrupt,
            fmt::format("object '{}' in {} ends at byte {}, but {} bytes at {} were asked for", name, url(),
                        size, length, offset)};
  }

  FileSystem& fs_;
  Random& random_;
  const Path root_;
  Guarded<std::set<Path>> durable_dirs_;
};

}  // namespace

Result<std::unique_ptr<ObjectStore>> open_directory_store(FileSystem& fs, Random& random, const Path& root) {
  // "." and a slash at the end would hide what the parent of a folder is.
  Path clean = root.lexically_normal();
  if (!clean.has_filename() && clean.has_relative_path()) clean = clean.parent_path();
  if (clean.empty()) return Error{Errc::kNotFound, "a store's directory cannot have an empty name"};
  DR_OK(fs.info(clean / "."));
  auto store = std::make_unique<DirectoryStore>(fs, random, clean);
  DR_OK(store->sweep());
  return std::unique_ptr<ObjectStore>(std::move(store));
}

}  // namespace daruma
