#include "run/steps/postgres_family.h"

#include <array>

#include "run/steps/families.h"

namespace daruma::run {

std::span<const StepType> postgres_steps() {
  static const std::array types = {
      postgres_query_step(),         postgres_expect_step(),
      postgres_wait_step(),          postgres_connections_step(),
      postgres_activity_step(),      postgres_locks_step(),
      postgres_cancel_step(),        postgres_terminate_step(),
      postgres_databases_step(),     postgres_counts_step(),
      postgres_integrity_step(),     postgres_find_backup_step(),
      postgres_find_point_step(),    postgres_wal_archive_step(),
      postgres_set_aside_step(),     postgres_set_volume_aside_step(),
      postgres_init_step(),          postgres_restore_step(),
      postgres_restore_point_step(), postgres_restore_beside_step(),
      postgres_switch_step(),        postgres_promote_step(),
      postgres_discard_aside_step(),
  };
  return types;
}

}  // namespace daruma::run
