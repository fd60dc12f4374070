// Makes the golden notes, the same bytes each time. Usage: make_golden_notes DIR.
#include <fmt/format.h>

#include "format/dump.h"
#include "format/note_golden.h"
#include "os/files.h"

namespace daruma {
namespace {

Status write_all(const Path& root) {
  const auto fs = real_file_system();
  TestRepository repository(2026);
  for (const uint64_t number : {41, 1300}) {
    repository.clock.advance(90s);
    DR_OK(put_journal_anchor(*repository, golden::kNoteWriter, golden::anchor(number)));
  }
  DR_TRY(const std::string contents, golden::dump(*repository));
  DR_OK(create_dirs(*fs, root, 0755));
  DR_OK(replace_file(*fs, root / "daruma.key", as_bytes(print_key_file(repository.key)), 0644));
  DR_OK(replace_file(*fs, root / "contents.txt", as_bytes(contents), 0644));
  for (const auto& [name, bytes] : repository.store.copy()) {
    const Path path = root / "repository" / name;
    DR_OK(create_dirs(*fs, path.parent_path(), 0755));
    DR_OK(replace_file(*fs, path, bytes, 0644));
  }
  return {};
}

}  // namespace
}  // namespace daruma

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: make_golden_notes DIR\n");
    return 2;
  }
  const daruma::Status written = daruma::write_all(argv[1]);
  if (!written.ok()) fmt::print(stderr, "make_golden_notes: {}\n", written.error().what);
  return written.ok() ? 0 : 1;
}
