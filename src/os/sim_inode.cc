#include "os/sim_inode.h"

#include <algorithm>
#include <set>

namespace daruma {
namespace {

uint64_t sectors_up_to(uint64_t size) { return (size + kSimSector - 1) / kSimSector; }

}  // namespace

void SimContent::write(uint64_t offset, BytesView bytes) {
  if (bytes.empty()) return;
  const uint64_t end = offset + bytes.size();
  const uint64_t first = offset / kSimSector;
  const uint64_t sectors = sectors_up_to(end) - first;
  const uint64_t old_begin = std::min<uint64_t>(first * kSimSector, bytes_.size());
  const uint64_t old_end = std::min<uint64_t>((first + sectors) * kSimSector, bytes_.size());
  const BytesView old = BytesView(bytes_).subspan(old_begin, old_end - old_begin);
  history_.push_back({bytes_.size(), first, sectors, to_bytes(old)});
  if (offset > bytes_.size()) bytes_.resize(offset);
  const uint64_t overlap = std::min<uint64_t>(bytes.size(), bytes_.size() - offset);
  std::copy_n(bytes.begin(), overlap, bytes_.begin() + static_cast<ptrdiff_t>(offset));
  bytes_.insert(bytes_.end(), bytes.begin() + static_cast<ptrdiff_t>(overlap), bytes.end());
}

void SimContent::truncate(uint64_t size) {
  const uint64_t first = std::min<uint64_t>(size, bytes_.size()) / kSimSector;
  const uint64_t sectors = size < bytes_.size() ? sectors_up_to(bytes_.size()) - first : 0;
  const BytesView old = sectors == 0 ? BytesView() : BytesView(bytes_).subspan(first * kSimSector);
  history_.push_back({bytes_.size(), first, sectors, to_bytes(old)});
  bytes_.resize(size);
}

void SimContent::power_cut(SimFate fate, SplitMix& random) {
  if (fate == SimFate::kNothing) keep_nothing();
  if (fate == SimFate::kSome) keep_some(random);
  history_.clear();
}

// Puts back what `sector` was before `change`; bytes_ reaches to the end of every sector.
void SimContent::undo(const Overwrite& change, uint64_t sector) {
  const auto to = bytes_.begin() + static_cast<ptrdiff_t>(sector * kSimSector);
  const uint64_t from = (sector - change.first_sector) * kSimSector;
  const uint64_t saved = from < change.old.size() ? std::min(kSimSector, change.old.size() - from) : 0;
  if (saved > 0) std::copy_n(change.old.begin() + static_cast<ptrdiff_t>(from), saved, to);
  std::fill(to + static_cast<ptrdiff_t>(saved), to + kSimSector, std::byte{0});
}

void SimContent::keep_nothing() {
  for (; !history_.empty(); history_.pop_back()) {
    const Overwrite& change = history_.back();
    const uint64_t begin = change.first_sector * kSimSector;
    bytes_.resize(change.old_size);
    std::copy(change.old.begin(), change.old.end(),
              bytes_.begin() + static_cast<ptrdiff_t>(std::min<uint64_t>(begin, bytes_.size())));
  }
}

void SimContent::keep_some(SplitMix& random) {
  const uint64_t sizes_kept = random.below(history_.size() + 1);
  const uint64_t size = sizes_kept == history_.size() ? bytes_.size() : history_[sizes_kept].old_size;
  uint64_t longest = bytes_.size();
  for (const Overwrite& change : history_) longest = std::max(longest, change.old_size);
  bytes_.resize(sectors_up_to(longest) * kSimSector);

  std::vector<uint32_t> changes(sectors_up_to(longest));
  for (const Overwrite& change : history_)
    for (uint64_t i = 0; i < change.sectors; ++i) ++changes[change.first_sector + i];
  std::vector<uint32_t> kept(changes.size());
  for (size_t sector = 0; sector < changes.size(); ++sector)
    if (changes[sector] > 0) kept[sector] = static_cast<uint32_t>(random.below(changes[sector] + 1));

  for (auto change = history_.rbegin(); change != history_.rend(); ++change)
    for (uint64_t sector = change->first_sector; sector < change->first_sector + change->sectors; ++sector)
      if (--changes[sector] >= kept[sector]) undo(*change, sector);
  bytes_.resize(size);
}

void SimContent::flip(uint64_t offset, std::byte bits) {
  bytes_[offset] ^= bits;
  for (Overwrite& change : history_) {
    const uint64_t begin = change.first_sector * kSimSector;
    if (offset >= begin && offset - begin < change.old.size()) change.old[offset - begin] ^= bits;
  }
}

SimNames::Map SimNames::durable() const {
  Map names = names_;
  for (auto change = history_.rbegin(); change != history_.rend(); ++change)
    for (const Before& before : *change) {
      names.erase(before.name);
      if (before.inode) names.emplace(before.name, before.inode);
    }
  return names;
}

SimInodePtr SimNames::find(std::string_view name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : found->second;
}

SimNames::Before SimNames::assign(const std::string& name, SimInodePtr inode) {
  Before before{name, find(name)};
  if (inode) {
    names_[name] = std::move(inode);
  } else {
    names_.erase(name);
  }
  return before;
}

void SimNames::set(const std::string& name, SimInodePtr inode) {
  Change change;
  change.push_back(assign(name, std::move(inode)));
  history_.push_back(std::move(change));
}

void SimNames::rename(const std::string& from, const std::string& to) {
  Change change;
  change.push_back(assign(from, nullptr));
  change.push_back(assign(to, change[0].inode));
  history_.push_back(std::move(change));
}

void SimNames::power_cut(SimFate fate, SplitMix& random) {
  // A change is lost with every earlier change of its names, so that nothing comes back under two names.
  std::map<std::string, SimInodePtr> lost;
  for (const Change& change : history_) {
    const bool follows_lost = std::any_of(change.begin(), change.end(),
                                          [&](const Before& before) { return lost.contains(before.name); });
    const bool survives = fate == SimFate::kEverything || (fate == SimFate::kSome && random.below(2) == 0);
    if (survives && !follows_lost) continue;
    for (const Before& before : change) lost.emplace(before.name, before.inode);
  }
  for (const auto& [name, inode] : lost) assign(name, inode);
  history_.clear();
}

}  // namespace daruma
