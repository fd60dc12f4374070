#include "service/slots.h"

#include "os/environment.h"
#include "service/metrics.h"

namespace daruma::service {

Result<std::span<Cell>> balance_of(SharedRegion& region) {
  return region.cells("worker_connections", SharedRegion::kWorkersMax);
}

Result<Slots> Slots::of(SharedRegion& region) {
  DR_TRY(const auto holders, region.cells("worker_slots", SharedRegion::kWorkersMax));
  DR_TRY(const auto balance, balance_of(region));
  return Slots(region, holders, balance);
}

std::optional<size_t> Slots::take(int holder) {
  for (size_t slot = 0; slot < holders_.size(); ++slot) {
    uint64_t nobody = 0;
    if (holders_[slot].compare_exchange_strong(nobody, static_cast<uint64_t>(holder))) return slot;
  }
  return std::nullopt;
}

void Slots::hand_to(size_t slot, int holder) { holders_[slot].store(static_cast<uint64_t>(holder)); }

void Slots::give_back(size_t slot) {
  Metrics(*region_, slot).clear_worker(slot);
  balance_[slot].store(0);
  holders_[slot].store(0);
}

size_t Slots::give_back_dead() {
  size_t count = 0;
  for (size_t slot = 0; slot < holders_.size(); ++slot) {
    uint64_t holder = holders_[slot].load();
    if (holder == 0 || process_exists(static_cast<int>(holder))) continue;
    // Of several who see it, one does it: nobody clears what was taken anew meanwhile.
    if (!holders_[slot].compare_exchange_strong(holder, static_cast<uint64_t>(this_pid()))) continue;
    give_back(slot);
    ++count;
  }
  return count;
}

}  // namespace daruma::service
