// database/dataset.h: a made-up country of hotels with some weeks of bookings around a business date.
//
// The same plan gives the same data, byte for byte. Bookings never overlap, totals agree with nights: what is
// loaded passes scripts/integrity_check.sql. Room `test-room-id` (requirement L3) is always there and free.
// Format:  each table as PostgreSQL's COPY reads it (text format).
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lastminutestay/common/date.h"

namespace lastminutestay {

struct DatasetPlan {
  uint64_t seed = 1;
  uint32_t hotels = 2000;
  Date business_date;
};

struct TableRows {
  const char* copy;  // "hotels (id, name_ja, …)"
  std::string text;
  uint64_t rows = 0;
};

// In an order in which they can be loaded.
std::vector<TableRows> make_dataset(const DatasetPlan& plan);

}  // namespace lastminutestay
