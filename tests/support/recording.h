// tests/support/recording.h: the recorded servers in tests/data/replication, for twins of them.
//
// Format:  encode_recording()'s bytes as one zstd frame.
// Threads: pure functions.
#pragma once

#include <map>

#include "datastore/postgres/replication_twin.h"
#include "os/file_system.h"

namespace daruma {

// The recording NAME.rec ("hotel"). A test cannot go on without it: ends the program if it is missing or
// damaged.
postgres::ServerRecording load_recording(const std::string& name);

// The files of one of its archives (a tar stream, as BASE_BACKUP sends it), by path.
std::map<std::string, Bytes> files_in(BytesView archive);

Status store_recording(FileSystem& fs, const Path& path, const postgres::ServerRecording& recording);

}  // namespace daruma
