// os/users.h: the people of this machine, as the kernel and its user database know them.
//
// Source:  getpwuid_r(3), getgrouplist(3), unix(7) (SO_PEERCRED).
// Threads: plain functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "os/descriptor.h"

namespace daruma {

struct User {
  uint32_t uid = 0;
  std::string name;                 // "uid 1234" where the user database has none
  std::vector<std::string> groups;  // names of those it is in
};

User user_of(uint32_t uid);
bool group_exists(const std::string& name);
// Who runs this process: the real user, or whoever called sudo.
User this_user();
// Who is at the other end of a Unix socket: the kernel's word, of when it was connected.
Result<User> peer_of(const Descriptor& socket);

}  // namespace daruma
