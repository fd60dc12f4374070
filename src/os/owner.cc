#include "os/owner.h"

#include <sys/stat.h>
#include <unistd.h>

#include "os/errno.h"

namespace daruma {

Result<Owner> owner_of(const Path& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return os_error(errno, "look at", path);
  return Owner{found.st_uid, found.st_gid};
}

Status give_tree(FileSystem& fs, const Path& tree, Owner owner) {
  DR_TRY(const Owner now, owner_of(tree));
  DR_TRY(const FileInfo info, fs.info(tree));
  if (info.type == FileType::kDirectory) {
    DR_TRY(const auto entries, fs.list_dir(tree));
    for (const DirectoryEntry& entry : entries) DR_OK(give_tree(fs, tree / entry.name, owner));
  }
  if (now != owner && ::lchown(tree.c_str(), owner.user, owner.group) != 0)
    return os_error(errno, "give away", tree);
  return {};
}

std::vector<std::string> run_as(Owner owner) {
  if (owner.user == ::geteuid()) return {};
  return {"setpriv",      "--reuid", std::to_string(owner.user), "--regid", std::to_string(owner.group),
          "--init-groups"};
}

}  // namespace daruma
