// datastore/postgres/recovery_config.h: the configuration of a restored directory, as text.
//
// Source:  PostgreSQL documentation, "Archive Recovery", "Recovery Target". Requirement L23: `recovery.conf`,
// which stops
//          PostgreSQL 12 and later, is never written.
// Threads: pure functions.
#pragma once

#include <map>
#include <string>

#include "datastore/postgres/points.h"
#include "datastore/postgres/restore.h"

namespace daruma::postgres {

// `text` without settings that would steer this recovery: old targets, restore and standby settings, and what
// we set. Their lines become comments that say so; everything else stays byte for byte.
std::string without_recovery_settings(std::string_view text);

// The block at the end of postgresql.auto.conf.
std::string recovery_block(const RecoveryPoint& point, Then then, const std::string& restore_command);

// A postgresql.conf with which a server that had its configuration elsewhere starts: what recovery needs, and
// no more.
std::string minimal_configuration(const SnapshotMeta& meta);
// A pg_hba.conf that lets in only local users under their own names.
std::string minimal_hba();

// 'text' with quotes doubled, as postgresql.conf wants it.
std::string quote_setting(std::string_view text);
// A word for /bin/sh, for restore_command, which PostgreSQL hands to a shell.
std::string quote_shell(std::string_view word);

}  // namespace daruma::postgres
