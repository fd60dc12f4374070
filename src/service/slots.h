// service/slots.h: which worker has which slot (0..63), across all processes that share a region.
//
// A slot names a worker in metrics and logs. It is taken by the supervisor before it forks, and given back
// when the worker is dead; what a supervisor that died could not give back is found by whoever looks next.
// Threads: any; processes: any.
#pragma once

#include <optional>
#include <span>

#include "service/shared_region.h"

namespace daruma::service {

// The connections of each slot, for Server to share them out (ServerSettings::balance).
Result<std::span<Cell>> balance_of(SharedRegion& region);

class Slots {
 public:
  // kNoSpace: the region is full.
  static Result<Slots> of(SharedRegion& region);

  // A free slot, held by `holder` from now on; nullopt: all are taken.
  std::optional<size_t> take(int holder);
  // Held by `holder`, who is alive, instead.
  void hand_to(size_t slot, int holder);
  // Free again, and everything that gauges and balance said of it is forgotten.
  void give_back(size_t slot);
  // Gives back what dead processes held. Returns how many.
  size_t give_back_dead();

 private:
  Slots(SharedRegion& region, std::span<Cell> holders, std::span<Cell> balance)
      : region_(&region), holders_(holders), balance_(balance) {}

  SharedRegion* region_;
  std::span<Cell> holders_;  // a process id; 0: free
  std::span<Cell> balance_;
};

}  // namespace daruma::service
