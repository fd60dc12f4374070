// datastore/postgres/crc32c.h: the two ways to compute what wal_parser.h's crc32c() promises.
//
// Both give the same result; they are named apart so that a test can say so on any processor.
// Threads: pure functions.
#pragma once

#include "base/bytes.h"

namespace daruma::postgres {

// By tables, eight bytes a step: works everywhere.
uint32_t crc32c_by_table(BytesView bytes, uint32_t crc);

// True if the processor has the instruction (x86-64 with SSE 4.2). Without it crc32c_by_instruction must not
// be called.
bool has_crc32c_instruction();
uint32_t crc32c_by_instruction(BytesView bytes, uint32_t crc);

}  // namespace daruma::postgres
