#include "os/sim_disk.h"

#include <algorithm>

namespace daruma {
namespace {

constexpr int kLinksFollowedMax = 40;
constexpr int64_t kFirstChangeMicros = 1'700'000'000'000'000;

// The next part of `rest`, taken off its front with the slashes around it.
std::string take_part(std::string& rest) {
  const size_t begin = std::min(rest.find_first_not_of('/'), rest.size());
  const size_t end = std::min(rest.find('/', begin), rest.size());
  std::string part = rest.substr(begin, end - begin);
  rest.erase(0, std::min(rest.find_first_not_of('/', end), rest.size()));
  return part;
}

}  // namespace

Error sim_power_gone(std::string_view verb, const Path& path) {
  return {Errc::kFailed, fmt::format("cannot {} '{}': the simulated power is gone", verb, path.native())};
}

Result<SimPlace> SimDisk::locate(const Path& path, bool follow_last, std::string_view verb) const {
  std::vector<SimInodePtr> above = {root};
  std::string rest = path.native();
  if (rest.empty()) return os_error(ENOENT, verb, path);
  SimPlace place{root, "", root};
  for (int links = 0; !rest.empty();) {
    const bool slash_follows =
        rest.find('/', std::min(rest.find_first_not_of('/'), rest.size())) != std::string::npos;
    const std::string part = take_part(rest);
    if (!place.inode) return os_error(ENOENT, verb, path);
    if (place.inode->type != FileType::kDirectory) return os_error(ENOTDIR, verb, path);
    if (part == ".." && above.size() > 1) above.pop_back();
    if (part.empty() || part == "." || part == "..") {
      place = {above.back(), "", above.back()};
      continue;
    }
    place = {above.back(), part, above.back()->names.find(part)};
    if (!place.inode) continue;
    if (place.inode->type == FileType::kSymlink && (follow_last || slash_follows)) {
      if (++links > kLinksFollowedMax) return os_error(ELOOP, verb, path);
      if (place.inode->target.is_absolute()) above.resize(1);
      rest = place.inode->target.native() + "/" + rest;
      place = {above.back(), "", above.back()};
    } else if (place.inode->type == FileType::kDirectory) {
      above.push_back(place.inode);
    }
  }
  return place;
}

Result<SimPlace> SimDisk::find(const Path& path, bool follow_last, std::string_view verb) const {
  DR_TRY(SimPlace place, locate(path, follow_last, verb));
  if (!place.inode) return os_error(ENOENT, verb, path);
  return place;
}

Result<SimInodePtr> SimDisk::find_directory(const Path& path, std::string_view verb) const {
  DR_TRY(const SimPlace place, find(path, true, verb));
  if (place.inode->type != FileType::kDirectory) return os_error(ENOTDIR, verb, path);
  return place.inode;
}

Status SimDisk::add_name(const Path& path, SimInodePtr inode, std::string_view verb) {
  DR_TRY(const SimPlace place, locate(path, false, verb));
  if (place.inode) return os_error(EEXIST, verb, path);
  place.directory->names.set(place.name, std::move(inode));
  touch(place.directory);
  return {};
}

Status SimDisk::remove_name(const Path& path, bool directory) {
  const std::string_view verb = directory ? "remove directory" : "remove";
  DR_TRY(const SimPlace place, find(path, false, verb));
  if (directory && place.inode->type != FileType::kDirectory) return os_error(ENOTDIR, verb, path);
  if (!directory && place.inode->type == FileType::kDirectory) return os_error(EISDIR, verb, path);
  if (place.name.empty()) return os_error(EBUSY, verb, path);
  if (directory && !place.inode->names.visible().empty()) return os_error(ENOTEMPTY, verb, path);
  place.directory->names.set(place.name, nullptr);
  touch(place.directory);
  return {};
}

Status SimDisk::rename(const Path& from, const Path& to) {
  const std::string verb = fmt::format("rename '{}' to", from.native());
  DR_TRY(const SimPlace source, find(from, false, verb));
  DR_TRY(const SimPlace target, locate(to, false, verb));
  const bool moves_directory = source.inode->type == FileType::kDirectory;
  if (source.name.empty() || target.name.empty()) return os_error(EBUSY, verb, to);
  if (target.inode == source.inode) return {};
  if (target.inode) {
    const bool onto_directory = target.inode->type == FileType::kDirectory;
    if (moves_directory && !onto_directory) return os_error(ENOTDIR, verb, to);
    if (!moves_directory && onto_directory) return os_error(EISDIR, verb, to);
    if (!target.inode->names.visible().empty()) return os_error(ENOTEMPTY, verb, to);
  }
  if (moves_directory && (to / "").native().starts_with((from / "").native()))
    return os_error(EINVAL, verb, to);
  if (source.directory == target.directory) {
    source.directory->names.rename(source.name, target.name);
  } else {
    target.directory->names.set(target.name, source.inode);
    source.directory->names.set(source.name, nullptr);
  }
  touch(source.directory);
  touch(target.directory);
  return {};
}

std::optional<SimFault> SimDisk::count_call(bool needs_space) {
  ++calls;
  if (fault_at == 0 || calls < fault_at) return std::nullopt;
  if (fault == SimFault::kFull && !needs_space) return std::nullopt;  // it waits for one that does
  fault_at = 0;
  fault_met = true;
  return fault;
}

void SimDisk::touch(const SimInodePtr& inode) {
  inode->modified = Instant{kFirstChangeMicros + static_cast<int64_t>(calls)};
  if (inode->listed) return;
  if (touched.size() >= touched_max) {
    std::erase_if(touched, [](const SimInodePtr& other) { return !(other->listed = other->dirty()); });
    touched_max = 2 * touched.size() + 64;
  }
  inode->listed = true;
  touched.push_back(inode);
}

void SimDisk::sync_all() {
  for (const SimInodePtr& inode : touched) {
    inode->content.sync();
    inode->names.sync();
    inode->listed = false;
  }
  touched.clear();
}

void SimDisk::cut_power() {
  static constexpr SimFate kFates[] = {SimFate::kSome, SimFate::kSome, SimFate::kNothing,
                                       SimFate::kEverything};
  ++power_cuts;
  SplitMix random(seed * 0x10001 + power_cuts);
  for (const SimInodePtr& inode : touched) {
    inode->listed = false;
    if (!inode->dirty()) continue;
    const SimFate fate = seed == 0 ? SimFate::kNothing : kFates[random.below(std::size(kFates))];
    inode->content.power_cut(fate, random);
    inode->names.power_cut(fate, random);
  }
  touched.clear();
  locked.clear();
  fault_at = 0;
  power_is_gone = false;
}

}  // namespace daruma
