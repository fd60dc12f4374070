#include "os/file_sender.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include <algorithm>

#include "os/errno.h"

namespace daruma {

Result<FileSender> FileSender::open(const Path& path) {
  // Non-blocking, so that a named pipe in the place of a file does not hang us.
  Descriptor file(uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }));
  if (!file.valid()) return os_error(errno, "open", path);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return os_error(errno, "look at", path);
  if (!S_ISREG(info.st_mode)) return Error{Errc::kInvalid, "'" + path.native() + "' is not a plain file"};
  return FileSender(std::move(file), static_cast<uint64_t>(info.st_size));
}

Result<size_t> FileSender::send(int socket, uint64_t offset, uint64_t size) const {
  constexpr uint64_t kPieceMax = 1 << 20;
  off_t from = static_cast<off_t>(offset);
  const ssize_t sent = uninterrupted(
      [&] { return ::sendfile(socket, file_.get(), &from, static_cast<size_t>(std::min(size, kPieceMax))); });
  if (sent > 0) return static_cast<size_t>(sent);
  if (sent == 0) return Error{Errc::kFailed, "the file became shorter while it was sent"};
  if (errno == EAGAIN) return size_t{0};
  return os_error(errno, "send", "file");
}

}  // namespace daruma
