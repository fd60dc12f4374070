// tests/format/golden.h: what the golden repository holds. The files are kept; this must not change, but for
// what a new version of the format adds in files of its own.
#pragma once

#include "repository/log.h"
#include "repository/repository_fixture.h"

namespace daruma::golden {

inline constexpr std::string_view kPassphrase = "correct horse battery staple";
inline const LogStream kStream{"bookings", 0x68f3a4c15d0e21c7};

// A page that compresses, each other than the others.
inline Bytes page(unsigned number) {
  Bytes bytes(kPageSize);
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::byte>(i < 64 ? (i * 131 + number * 17 + 5) : (i / 512 + number));
  return bytes;
}

inline Bytes pages(unsigned first, unsigned count) {
  Bytes bytes;
  for (unsigned number = first; number < first + count; ++number) {
    const Bytes next = page(number);
    bytes.insert(bytes.end(), next.begin(), next.end());
  }
  return bytes;
}

inline Bytes log_bytes(Branch branch, uint64_t from, uint64_t to) {
  Bytes bytes;
  for (uint64_t at = from; at < to; ++at) bytes.push_back(static_cast<std::byte>(at * 7 + at / 256 + branch));
  return bytes;
}

// The first snapshot: every kind of entry, a map that is inline and one that is not.
inline TestTree first_tree() {
  TestTree tree;
  tree["PG_VERSION"] = test_file(to_bytes(as_bytes("15\n")));
  tree["base"] = {.type = FileEntry::Type::kDirectory, .mode = 0700};
  tree["base/16384"] = test_file(pages(1, 3));
  tree["base/16385"] = test_file(pages(10, 66));
  tree["base/16385"].bytes.resize(66 * kPageSize - 100);
  tree["base/empty"] = {.mode = 0640, .modified = {-1}, .bytes = {}};
  tree["pg_tblspc/16390"] = {.type = FileEntry::Type::kSymlink, .target = "/mnt/fast"};
  tree["名前 with\nodd bytes \xff"] = test_file(to_bytes(as_bytes("odd")));
  return tree;
}

// The second snapshot, as a later version may write it: page 0 in a frame whose prefix is the frame of the
// first snapshot's page 0, page 1 in one whose prefix is that frame; page 2 is the first snapshot's.
inline TestTree later_tree() {
  TestTree tree;
  tree["base/16384"] = test_file(pages(1, 3));
  tree["base/16384"].bytes[100] = std::byte{0xaa};
  tree["base/16384"].bytes[kPageSize + 100] = std::byte{0xbb};
  return tree;
}

}  // namespace daruma::golden
