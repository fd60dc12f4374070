// service/shared_region.h: memory that all workers of a service share, whoever started them: breakers and
// metrics live here, so that any worker answers for the whole service.
//
// A file in the service's state directory, mapped by every process of the service. Whoever finds nobody else
// using it starts from zero; so a reload or a second instance joins, a new start begins afresh.
// Cells are found by name and made where missing (under a lock); they are lock-free atomics from then on,
// and stay when the process that made them dies. A name asked for with another size gets cells of its own.
// Threads: any; processes: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "os/file_system.h"

namespace daruma::service {

using Cell = std::atomic<uint64_t>;
static_assert(Cell::is_always_lock_free);

class SharedRegion {
 public:
  static constexpr size_t kWorkersMax = 64;

  // Creates the file where it is missing. kUnavailable: cannot be mapped.
  static Result<std::unique_ptr<SharedRegion>> open(const Path& file);
  // Not shared: for tests and for programs with one process.
  static std::unique_ptr<SharedRegion> private_memory();
  virtual ~SharedRegion() = default;

  // `count` cells of this name, aligned to 64 bytes, zero when new. kNoSpace: the region (4 MiB) is full.
  virtual Result<std::span<Cell>> cells(std::string_view name, size_t count) = 0;
  // Calls `visit` for every name there is, in the order in which they were made.
  virtual void each(const std::function<void(std::string_view name, std::span<Cell> cells)>& visit) = 0;
  // True for the process that found the region unused and cleared it.
  virtual bool fresh() const = 0;
};

}  // namespace daruma::service
