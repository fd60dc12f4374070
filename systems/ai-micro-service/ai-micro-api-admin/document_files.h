// ai-micro-api-admin/document_files.h: the bodies of documents, each a file of its own: ROOT/ab/abcdef….
//
// Order:   a file is durable under its name before its row is committed; a row goes before its file goes. So
//          every row has its file, and a crash leaves at most a file that no row names, or one called *.part.
// Names:   from the document's id alone (a UUID), never from what a client sent.
// Threads: any, for different documents.
#pragma once

#include <string>
#include <vector>

#include "os/file_system.h"

namespace aimicro {

class DocumentFiles {
 public:
  DocumentFiles(daruma::FileSystem& fs, daruma::Path root) : fs_(fs), root_(std::move(root)) {}

  daruma::Path path_of(const std::string& id) const;
  // kExists: there is a body of this id. kNoSpace: nothing is left behind.
  daruma::Status put(const std::string& id, daruma::BytesView body);
  // Reads it all. kNotFound: no file; kCorrupt: another size or hash.
  daruma::Status check(const std::string& id, uint64_t size, const std::string& sha256) const;
  // A missing file is success.
  daruma::Status remove(const std::string& id);
  // The ids of all bodies, and what else lies there by its path.
  struct Found {
    std::vector<std::string> ids;
    std::vector<daruma::Path> strangers;
  };
  daruma::Result<Found> all() const;

 private:
  daruma::Status write(const daruma::Path& path, daruma::BytesView body);

  daruma::FileSystem& fs_;
  daruma::Path root_;
};

}  // namespace aimicro
