#include "os/errno.h"

#include <fmt/format.h>

#include <system_error>

namespace daruma {
namespace {

Errc code_of(int number) {
  switch (number) {
    case ENOENT:
    case ENOTDIR:
      return Errc::kNotFound;
    case EEXIST:
      return Errc::kExists;
    case ENOSPC:
    case EDQUOT:
      return Errc::kNoSpace;
    case EACCES:
    case EPERM:
    case EROFS:
      return Errc::kRefused;
    default:
      return Errc::kFailed;
  }
}

}  // namespace

Error os_error(int number, std::string_view verb, const Path& path) {
  return {code_of(number),
          fmt::format("cannot {} '{}': {}", verb, path.native(), std::generic_category().message(number))};
}

}  // namespace daruma
