// repository/numbered.h: objects numbered from 1 without a hole, whose newest is found without listing.
// Threads: as ObjectStore.
#pragma once

#include <functional>

#include "storage/object_store.h"

namespace daruma {

// The newest number; 0 when there is none. By doubling and bisection over what is there.
Result<uint64_t> newest_number(ObjectStore& store, const std::function<std::string(uint64_t)>& name_of);

}  // namespace daruma
