// os/owner.h: whose files are, and how a program is run as that user: PostgreSQL refuses root, and a
// directory that is not its own.
//
// Threads: plain functions on the real file system.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "os/file_system.h"

namespace daruma {

struct Owner {
  uint32_t user = 0;
  uint32_t group = 0;

  bool operator==(const Owner&) const = default;
};

Result<Owner> owner_of(const Path& path);
// Makes a tree somebody's, links themselves and never what they point to. What is theirs already is not
// touched, so that it needs no right then. kRefused: only root may give files away.
Status give_tree(FileSystem& fs, const Path& tree, Owner owner);
// What stands before a command that is to run as `owner`; nothing when that is us.
std::vector<std::string> run_as(Owner owner);

}  // namespace daruma
