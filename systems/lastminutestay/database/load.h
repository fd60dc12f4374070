// database/load.h: puts a made-up data set into a database that has the schema.
//
// Threads: one at a time.
#pragma once

#include "lastminutestay/database/dataset.h"
#include "service/postgres_session.h"

namespace lastminutestay {

struct Loaded {
  uint64_t hotels = 0, rooms = 0, customers = 0, bookings = 0;
};

// All in one transaction. With `replace` what is there goes away, bookings of real customers included;
// without it a database that has hotels is kRefused.
daruma::Result<Loaded> load_dataset(daruma::service::PostgresSession& session, const DatasetPlan& plan,
                                    bool replace);

}  // namespace lastminutestay
