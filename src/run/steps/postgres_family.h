// run/steps/postgres_family.h: the step types postgres.*, each made by the file that knows it.
//
// Threads: plain functions.
#pragma once

#include "run/step_type.h"

namespace daruma::run {

// Looking: postgres_query.cc, postgres_wait.cc, postgres_activity.cc, postgres_locks.cc, postgres_counts.cc,
// postgres_integrity.cc.
StepType postgres_query_step();
StepType postgres_expect_step();
StepType postgres_databases_step();
StepType postgres_wait_step();
StepType postgres_connections_step();
StepType postgres_activity_step();
StepType postgres_locks_step();
StepType postgres_counts_step();
StepType postgres_integrity_step();

// Sources: postgres_find_backup.cc, postgres_points.cc.
StepType postgres_find_backup_step();
StepType postgres_find_point_step();
StepType postgres_wal_archive_step();

// Acting: postgres_terminate.cc, postgres_set_aside.cc, postgres_volume.cc, postgres_init.cc,
//         postgres_restore.cc, postgres_restore_point.cc, postgres_beside.cc, postgres_switch.cc,
//         postgres_promote.cc, postgres_discard.cc.
StepType postgres_cancel_step();
StepType postgres_terminate_step();
StepType postgres_set_aside_step();
StepType postgres_set_volume_aside_step();
StepType postgres_init_step();
StepType postgres_restore_step();
StepType postgres_restore_point_step();
StepType postgres_restore_beside_step();
StepType postgres_switch_step();
StepType postgres_promote_step();
StepType postgres_discard_aside_step();

}  // namespace daruma::run
