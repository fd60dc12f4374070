// run/steps/postgres_repository.h: what the repository holds of a datastore, for the steps that look for a
// recovery point or restore to one.
//
// Threads: plain functions.
#pragma once

#include "datastore/postgres/points.h"
#include "repository/configured.h"
#include "run/steps/postgres_session.h"

namespace daruma::run {

struct Holdings {
  std::unique_ptr<Random> random;
  ConfiguredRepository opened;
  postgres::Catalog catalog;
};

// Opens the repository of daruma.yaml. kNotFound: it holds no snapshot of the datastore.
Result<Holdings> holdings_of(const StepContext& context);

// The moment whose data a point brings back: its last commit, or its snapshot's end.
Instant moment_of(const postgres::RecoveryPoint& point);

}  // namespace daruma::run
