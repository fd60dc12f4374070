#include "journal/group.h"

namespace daruma {

void AppendGroup::append(AppendRequest& request) {
  std::vector<AppendRequest*> batch;
  {
    auto queue = queue_.lock();
    queue->waiting.push_back(&request);
    queue.wait([&] { return request.done || !queue->led; });
    if (request.done) return;
    queue->led = true;
    batch.swap(queue->waiting);
  }
  write_(batch);
  {
    auto queue = queue_.lock();
    queue->led = false;
    for (AppendRequest* written : batch) written->done = true;
  }
  queue_.notify_all();
}

}  // namespace daruma
