// tests/format/dump.h: everything that a repository's objects say, as text, to compare with a kept one.
#pragma once

#include <string>

#include "repository/repository.h"

namespace daruma::golden {

// Every object by name, every record in it with its fields; pages and log bytes by their hash.
Result<std::string> dump(const Repository& repository);

}  // namespace daruma::golden
