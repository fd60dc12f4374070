#include "run/steps/postgres_repository.h"

#include "run/steps/inputs.h"

namespace daruma::run {

Result<Holdings> holdings_of(const StepContext& context) {
  DR_TRY(const DatastoreConfig* datastore, datastore_input(context, DatastoreKind::kPostgres));
  if (context.config.repository.copies.empty())
    return Error{Errc::kNotFound, "daruma.yaml names no repository",
                 "add `repository:` to it, or restore from a dump"};
  Holdings holdings;
  holdings.random = real_random();
  DR_TRY(holdings.opened, open_configured_repository(context.fs, context.clock, *holdings.random,
                                                     context.config.repository, context.secret));
  DR_TRY(holdings.catalog, postgres::load_catalog(*holdings.opened.repository, datastore->name));
  return holdings;
}

Instant moment_of(const postgres::RecoveryPoint& point) {
  return point.last_commit.value_or(point.snapshot->meta.ended);
}

}  // namespace daruma::run
