// os/errno.h: what the kernel's error numbers mean to us. For the files of src/os only.
//
// Threads: plain functions; errno is the calling thread's.
#pragma once

#include <cerrno>
#include <string_view>

#include "os/file_system.h"

namespace daruma {

// "cannot VERB 'PATH': CAUSE", with the code that callers react to. ENOTDIR counts as kNotFound: a name below
// a file is not there.
Error os_error(int number, std::string_view verb, const Path& path);

// Repeats a system call that a signal interrupted.
template <class Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

}  // namespace daruma
