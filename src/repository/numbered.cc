#include "repository/numbered.h"

namespace daruma {

Result<uint64_t> newest_number(ObjectStore& store, const std::function<std::string(uint64_t)>& name_of) {
  const auto present = [&](uint64_t number) -> Result<bool> {
    const auto info = store.head(name_of(number));
    if (info.ok()) return true;
    if (info.is(Errc::kNotFound)) return false;
    return info.error();
  };
  uint64_t low = 0;
  uint64_t high = 1;
  for (;; high *= 2) {
    DR_TRY(const bool there, present(high));
    if (!there) break;
    low = high;
  }
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    DR_TRY(const bool there, present(middle));
    (there ? low : high) = middle;
  }
  return low;
}

}  // namespace daruma
