// ai-micro-api-admin/documents.h: the table admindb.documents.
//
// Who asks is a Reader: the role admin sees everybody's documents, all others their own. What somebody may
// not see is for them not there.
// Errors:  as service/postgres.h.
// Threads: the worker's one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "service/postgres.h"

namespace aimicro {

struct Document {
  std::string id, owner, name, media_type, sha256;
  uint64_t size = 0;
  std::string created_at;  // RFC 3339
  std::string cursor;      // where a list goes on after this one
};

struct Reader {
  std::string user;
  bool admin = false;
};

class Documents {
 public:
  Documents(daruma::service::PostgresPool& pool, const daruma::Clock& clock) : pool_(pool), clock_(clock) {}

  // The row as it is now, created_at filled in.
  daruma::service::Task<daruma::Result<Document>> add(Document document);
  daruma::service::Task<daruma::Result<std::optional<Document>>> find(std::string id, Reader reader);
  // Newest first. `after`: the cursor of the last one seen, or "".
  daruma::service::Task<daruma::Result<std::vector<Document>>> list(Reader reader, std::string after,
                                                                    unsigned count_max);
  // False: there was none.
  daruma::service::Task<daruma::Result<bool>> remove(std::string id, Reader reader);

 private:
  daruma::service::PostgresPool& pool_;
  const daruma::Clock& clock_;
};

// "1763800000000000-UUID"
bool is_cursor(std::string_view text);

}  // namespace aimicro
