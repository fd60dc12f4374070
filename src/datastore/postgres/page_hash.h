// datastore/postgres/page_hash.h: the hash under page.h's page_checksum(), before the block number goes in.
//
// Method:  32 lanes of a 32-bit hash, each fed every 32nd word of the page, folded into one. Both functions
// give the same
//          result; they are named apart so that a test can say so on any processor.
// Threads: pure functions.
#pragma once

#include "base/bytes.h"

namespace daruma::postgres {

// `page` has kPageSize bytes, here and below.
uint32_t page_hash_plain(BytesView page);

// True if the processor has AVX2. Without it page_hash_wide must not be called.
bool has_wide_page_hash();
uint32_t page_hash_wide(BytesView page);

}  // namespace daruma::postgres
