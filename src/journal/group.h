// journal/group.h: appends that come together are written together: one transaction, one sync.
//
// Whoever comes first leads: writes everything that waits, its own included, while later ones gather for the
// next leader. Nobody waits for a clock.
// Threads: any.
#pragma once

#include <vector>

#include "journal/chain.h"

namespace daruma {

struct AppendRequest {
  std::string stream;
  uint64_t after = 0;
  std::vector<WrittenEvent> events;  // complete once written
  Status answer = Error{};           // the writer's
  bool done = false;
};

class AppendGroup {
 public:
  using Write = std::function<void(std::vector<AppendRequest*>& requests)>;

  // `write` answers every request it is given; it is called by one thread at a time.
  explicit AppendGroup(Write write) : write_(std::move(write)) {}

  // Returns when the request is answered.
  void append(AppendRequest& request);

 private:
  struct Queue {
    std::vector<AppendRequest*> waiting;
    bool led = false;
  };

  const Write write_;
  Guarded<Queue> queue_;
};

}  // namespace daruma
