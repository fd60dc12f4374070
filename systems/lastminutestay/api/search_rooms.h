// api/search_rooms.h: which rooms are free, from PostgreSQL: last-minute offers first, then the cheapest.
//
// Threads: the worker's one.
#pragma once

#include <vector>

#include "lastminutestay/api/search_answer.h"
#include "service/postgres.h"

namespace lastminutestay {

constexpr int kRoomsShown = 20;

// One round trip. Errors as service/postgres.h.
daruma::service::Task<daruma::Result<std::vector<FreeRoom>>> find_free_rooms(
    daruma::service::PostgresPool& postgres, const SearchRequest& request, daruma::Deadline deadline);

}  // namespace lastminutestay
