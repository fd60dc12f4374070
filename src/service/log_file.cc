#include "service/log_file.h"

#include "os/files.h"

namespace daruma::service {

Status LogFile::reopen() {
  file_.reset();
  auto opened = fs_.open_append(path_, 0640);
  if (opened.is(Errc::kNotFound)) {
    DR_OK(create_dirs(fs_, path_.parent_path(), 0750));
    opened = fs_.open_append(path_, 0640);
  }
  if (!opened.ok()) return opened.error();
  file_ = *std::move(opened);
  return {};
}

Status LogFile::follow() {
  if (!file_) return reopen();
  const auto named = file_->still_named();
  return named.ok() && *named ? Status() : reopen();
}

Status LogFile::append(std::string_view lines) {
  DR_OK(follow());
  DR_OK(rotate_if_due(lines.size()));
  return file_->append(as_bytes(lines));
}

Status LogFile::rotate_if_due(size_t more) {
  DR_TRY(const uint64_t size, file_->size());
  if (size == 0 || size + more <= rotate_at_) return {};
  const auto lock = fs_.lock(path_.parent_path() / ("." + path_.filename().native() + ".lock"));
  if (!lock.ok()) return {};  // somebody rotates just now, or nobody can: appending matters more
  DR_TRY(const bool ours, file_->still_named());
  // Where nothing can be renamed the file grows on.
  if (ours && !move_away().ok()) return {};
  return reopen();
}

Status LogFile::move_away() const {
  if (keep_ == 0) return fs_.remove_file(path_);
  for (unsigned number = keep_; number > 1; --number) {
    const Status moved = fs_.rename(numbered(number - 1), numbered(number));
    if (!moved.ok() && !moved.is(Errc::kNotFound)) return moved;
  }
  return fs_.rename(path_, numbered(1));
}

Path LogFile::numbered(unsigned number) const { return path_.native() + "." + std::to_string(number); }

}  // namespace daruma::service
