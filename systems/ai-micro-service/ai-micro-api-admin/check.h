// ai-micro-api-admin/check.h: the commands that walk rows and files together: `check` and `seed`.
//
// Threads: a program of its own.
#pragma once

#include <string>
#include <vector>

#include "service/settings.h"

namespace aimicro {

// Compares every row with its file (there, size, hash), and tells files that no row names. Exit code 1 when a
// document is damaged; with --remove-litter, files without a row go (only while nobody uploads).
int check_command(const daruma::service::Settings& settings, const std::vector<std::string>& arguments);

// Adds the files of the folder `examples` as documents of the example accounts.
int seed_command(const daruma::service::Settings& settings, const std::vector<std::string>& arguments);

}  // namespace aimicro
