// datastore/postgres/page.h: what a relation's page says about itself.
//
// Source:  PostgreSQL src/include/storage/{bufpage.h,checksum_impl.h}: header layout; the checksum algorithm.
// Threads: pure functions.
#pragma once

#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "datastore/postgres/lsn.h"

namespace daruma::postgres {

inline constexpr size_t kPageSize = 8192;

// The checksum a page of kPageSize bytes at block number `block` (counted through all segment files of the
// relation fork) should carry. The stored checksum's own two bytes count as zero.
uint16_t page_checksum(BytesView page, uint32_t block);

Lsn page_lsn(BytesView page);
uint16_t stored_checksum(BytesView page);
// A page never written: pd_upper is zero. Such a page carries no checksum (and must be all zeros to be good).
bool page_is_new(BytesView page);
// True for a page whose checksum matches, and for a new page that is all zeros.
bool page_is_good(BytesView page, uint32_t block);

// What a file name in the data directory says about its contents.
struct RelationFile {
  uint32_t tablespace = 0;  // 0: the path does not say (base/ is 1663, global/ is 1664)
  uint32_t database = 0;
  uint32_t relation = 0;
  uint8_t fork = 0;           // 0 main, 1 fsm, 2 vm, 3 init
  uint32_t segment_file = 0;  // the n of ".n": blocks before this file are n * 131072
};
// Parses "base/5/1259_fsm.1", "global/1262", "pg_tblspc/16400/PG_15_202209061/5/16401". nullopt for every
// other file: temporary relations (t…_…), pg_filenode.map, PG_VERSION, WAL, SLRUs. Only these files have page
// checksums.
std::optional<RelationFile> parse_relation_path(std::string_view path);

}  // namespace daruma::postgres
