// Makes the golden journal of format version 1. Usage: make_golden_journal FILE, which is not there yet.
#include <fmt/format.h>

#include "format/journal_golden.h"

namespace daruma {
namespace {

Status write_golden(const Path& file) {
  const auto fs = real_file_system();
  ManualClock clock;
  DR_TRY(const auto journal, open_journal(*fs, clock, file));
  return golden::write_journal(*journal, clock);
}

}  // namespace
}  // namespace daruma

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: make_golden_journal FILE\n");
    return 2;
  }
  const daruma::Status written = daruma::write_golden(argv[1]);
  if (!written.ok()) fmt::print(stderr, "make_golden_journal: {}\n", written.error().what);
  return written.ok() ? 0 : 1;
}
