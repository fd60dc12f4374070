// service/handover.h: how the instances of one service find each other, and give each other the listening
// socket.
//
// Each supervisor listens at STATE/NAME.PID.sock. Whoever connects is told "serving" or "leaving" and is
// handed the listening socket; when a newcomer's workers are ready it says "took over", on which one that
// is leaving ends. What a dead supervisor left behind is removed by whoever finds it.
// Owns:    its sockets, and the name in the state directory.
// Threads: one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "os/unix_socket.h"

namespace daruma::service {

// Another instance of the service, alive when it was asked.
struct Peer {
  Descriptor channel;   // stays open until the newcomer is ready
  Descriptor listener;  // its listening socket
  bool leaving = false;
};

// All that answer, those leaving last. `own_pid` is not asked.
std::vector<Peer> find_peers(FileSystem& fs, const Path& state, const std::string& name, int own_pid);
// The newcomer's workers are ready.
void took_over(std::vector<Peer>& peers);

// The side that is found.
class HandoverDoor {
 public:
  static Result<HandoverDoor> open(const Path& state, const std::string& name, int pid);

  // Descriptors to watch for reading.
  std::vector<int> watched() const;
  // Answers whoever knocked. Returns true when a newcomer took over.
  bool answer(int listener, bool leaving);
  // Nobody finds it any more.
  void close(FileSystem& fs);
  // In a child after fork: the name is not ours.
  void forget();

 private:
  HandoverDoor(Path path, Descriptor door) : path_(std::move(path)), door_(std::move(door)) {}

  Path path_;
  Descriptor door_;
  std::vector<Descriptor> callers_;
};

}  // namespace daruma::service
