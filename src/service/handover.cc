#include "service/handover.h"

#include <algorithm>

#include "os/environment.h"

namespace daruma::service {
namespace {

constexpr std::string_view kServing = "serving";
constexpr std::string_view kLeaving = "leaving";
constexpr std::string_view kTookOver = "took over";
constexpr Duration kAnswerTime = 2s;

// The process that a name "NAME.PID.sock" tells of; 0 for any other name.
int pid_in(std::string_view file, std::string_view name) {
  if (!file.starts_with(name) || !file.ends_with(".sock")) return 0;
  file.remove_prefix(name.size());
  file.remove_suffix(5);
  if (file.size() < 2 || file.size() > 10 || file[0] != '.') return 0;
  int pid = 0;
  for (const char digit : file.substr(1)) {
    if (digit < '0' || digit > '9') return 0;
    pid = pid * 10 + (digit - '0');
  }
  return pid;
}

}  // namespace

std::vector<Peer> find_peers(FileSystem& fs, const Path& state, const std::string& name, int own_pid) {
  std::vector<Peer> peers;
  const auto entries = fs.list_dir(state);
  if (!entries.ok()) return peers;
  for (const DirectoryEntry& entry : *entries) {
    const int pid = pid_in(entry.name, name);
    if (pid == 0 || pid == own_pid) continue;
    auto channel = connect_to(state / entry.name);
    if (!channel.ok()) {
      // Another may have removed it before us: then it is as we want it.
      if (!process_exists(pid)) static_cast<void>(fs.remove_file(state / entry.name));
      continue;
    }
    auto greeting = receive_message(channel->get(), kAnswerTime);
    if (!greeting || !greeting->handed.valid()) continue;
    peers.push_back({*std::move(channel), std::move(greeting->handed), greeting->text == kLeaving});
  }
  std::stable_partition(peers.begin(), peers.end(), [](const Peer& peer) { return !peer.leaving; });
  return peers;
}

void took_over(std::vector<Peer>& peers) {
  for (const Peer& peer : peers) send_message(peer.channel.get(), std::string(kTookOver));
  peers.clear();
}

Result<HandoverDoor> HandoverDoor::open(const Path& state, const std::string& name, int pid) {
  const Path path = state / (name + "." + std::to_string(pid) + ".sock");
  DR_TRY(Descriptor door, listen_at(path));
  return HandoverDoor(path, std::move(door));
}

std::vector<int> HandoverDoor::watched() const {
  std::vector<int> all{door_.get()};
  for (const Descriptor& caller : callers_) all.push_back(caller.get());
  return all;
}

bool HandoverDoor::answer(int listener, bool leaving) {
  while (auto caller = accept_from(door_)) {
    if (send_message(caller->get(), std::string(leaving ? kLeaving : kServing), listener))
      callers_.push_back(*std::move(caller));
  }
  bool taken = false;
  std::erase_if(callers_, [&](const Descriptor& caller) {
    const auto message = receive_message(caller.get());
    if (message && message->text == kTookOver) taken = true;
    return message.has_value();  // it said what there is to say, or is gone
  });
  return taken;
}

void HandoverDoor::close(FileSystem& fs) {
  if (!path_.empty()) static_cast<void>(fs.remove_file(path_));  // the name means nothing without us
  forget();
}

void HandoverDoor::forget() {
  path_.clear();
  door_.reset();
  callers_.clear();
}

}  // namespace daruma::service
