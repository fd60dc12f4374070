// run/steps/postgres_directory.h: a data directory, as the steps that move and fill one know it.
//
// Threads: plain functions.
#pragma once

#include "run/step_type.h"

namespace daruma::run {

inline constexpr InputRow kDataDirectory{
    .name = "directory", .kind = InputRow::Kind::kPath, .help = "else the datastore's data_directory"};

// Input `directory`, else the datastore's own. kInvalid: nobody says.
Result<Path> data_directory(const StepContext& context);
// As a word of a line that a person types; "DATA_DIRECTORY" where nobody says.
std::string data_directory_word(const StepContext& context);

// kRefused: a server runs in it; the files alone tell.
Status check_no_server(const StepContext& context, const Path& directory);

// Durably gives it another name beside it. Errors: as FileSystem::rename.
Status rename_directory(FileSystem& fs, const Path& from, const Path& to);
// What an undo finds in the way may have been used since: it is kept as DIRECTORY.abandoned-TIME. kRefused:
// a server runs in it.
Status abandon_directory(StepContext& context, const Path& directory);

}  // namespace daruma::run
