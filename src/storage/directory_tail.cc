#include "storage/directory_tail.h"

#include <fmt/format.h>

namespace daruma {
namespace {

BytesView zeros() {
  static const Bytes kZeros(kTailChunk);
  return kZeros;
}

class DirectoryTail final : public Tail {
 public:
  // `file` holds one chunk of zeros.
  DirectoryTail(std::unique_ptr<File> file, Path path) : file_(std::move(file)), path_(std::move(path)) {}

  Status append(BytesView bytes) override {
    if (broken_) return broken();
    Status status = file_->write_at(end_, bytes);
    end_ += bytes.size();
    if (status.ok() && end_ > filled_) status = fill_ahead();
    broken_ = !status.ok();
    return status;
  }

  // A failed sync breaks the tail too: the kernel may have dropped what it could not write.
  Status sync() override {
    if (broken_) return broken();
    Status status = file_->sync();
    broken_ = !status.ok();
    return status;
  }

 private:
  Status fill_ahead() {
    filled_ = (end_ / kTailChunk + 1) * kTailChunk;
    Status status = file_->write_at(end_, zeros().first(filled_ - end_));
    if (!status.is(Errc::kNoSpace)) return status;
    // An optimisation only: what was appended is there, and the last bytes of a disk are for records.
    filled_ = end_;
    return {};
  }

  Error broken() const {
    return {Errc::kFailed,
            fmt::format("'{}' takes no more records: an earlier append or sync failed", path_.native()),
            "close it and create a new tail"};
  }

  std::unique_ptr<File> file_;
  const Path path_;
  uint64_t end_ = 0;              // of what was appended
  uint64_t filled_ = kTailChunk;  // zeros from end_ to here
  bool broken_ = false;
};

}  // namespace

Result<std::unique_ptr<Tail>> create_directory_tail(FileSystem& fs, const Path& path) {
  DR_TRY(auto file, fs.create(path, 0600));
  Status status = file->write_at(0, zeros());
  if (status.ok()) status = file->sync();
  if (status.ok()) status = fs.sync_dir(path.parent_path());
  if (!status.ok()) {
    static_cast<void>(fs.remove_file(path));  // the first error is the one to tell
    return std::move(status).error();
  }
  return std::unique_ptr<Tail>(std::make_unique<DirectoryTail>(std::move(file), path));
}

}  // namespace daruma
