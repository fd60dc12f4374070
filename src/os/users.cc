#include "os/users.h"

#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>

#include <fmt/format.h>

#include "os/environment.h"
#include "os/errno.h"

namespace daruma {

User user_of(uint32_t uid) {
  User user{uid, fmt::format("uid {}", uid), {}};
  std::vector<char> space(64 * 1024);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, space.data(), space.size(), &found) != 0 || !found) return user;
  user.name = found->pw_name;
  std::vector<gid_t> ids(256);
  int count = static_cast<int>(ids.size());
  if (::getgrouplist(found->pw_name, found->pw_gid, ids.data(), &count) < 0) return user;
  for (int i = 0; i < count; ++i) {
    group info{};
    group* known = nullptr;
    std::vector<char> names(64 * 1024);
    if (::getgrgid_r(ids[static_cast<size_t>(i)], &info, names.data(), names.size(), &known) == 0 && known)
      user.groups.emplace_back(known->gr_name);
  }
  return user;
}

bool group_exists(const std::string& name) {
  group info{};
  group* known = nullptr;
  std::vector<char> names(64 * 1024);
  return ::getgrnam_r(name.c_str(), &info, names.data(), names.size(), &known) == 0 && known;
}

User this_user() {
  const uint32_t uid = ::getuid();
  const auto caller = uid == 0 ? environment_variable("SUDO_UID") : std::nullopt;
  uint32_t sudo = 0;
  if (caller && std::from_chars(caller->data(), caller->data() + caller->size(), sudo).ptr ==
                    caller->data() + caller->size())
    return user_of(sudo);
  return user_of(uid);
}

Result<User> peer_of(const Descriptor& socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return os_error(errno, "ask who is at the other end of", "socket");
  return user_of(credentials.uid);
}

}  // namespace daruma
