// runtime/docker_api.h: the Docker Engine's API over its Unix socket; podman's speaks the same.
//
// Source:  Docker Engine API 1.41 (docs.docker.com/reference/api/engine).
// Errors:  kUnavailable (nobody answers at the socket, or it is not Docker; `what` names it), kCancelled
//          (deadline), kNotFound (404), kFailed (the engine's own words).
// Threads: one at a time.
#pragma once

#include <functional>
#include <string>

#include "base/value.h"
#include "os/clock.h"
#include "os/file_system.h"

namespace daruma::runtime {

class DockerApi {
 public:
  // At the socket of DOCKER_HOST, or /var/run/docker.sock.
  explicit DockerApi(Clock& clock) : clock_(clock) {}

  // `path` begins behind the version: "/containers/x/json". The answer's JSON; null where it has none, as of
  // 304 (it was so already).
  Result<Value> get(const std::string& path, Deadline deadline);
  Result<Value> post(const std::string& path, Deadline deadline);
  // Hands on the answer's body piece by piece.
  Status stream(const std::string& path, const std::function<void(std::string_view)>& piece,
                Deadline deadline);

 private:
  using Sink = std::function<void(std::string_view)>;
  // The HTTP status.
  Result<long> transfer(const char* method, const std::string& url, const Sink& sink,
                        Deadline deadline) const;
  Result<Value> call(const char* method, const std::string& path, Deadline deadline);
  // Finds the socket and a version that both sides know, once.
  Status connect(Deadline deadline);

  Clock& clock_;
  Path socket_;
  std::string version_;  // "v1.41"
};

// A word as part of a path or a query.
std::string url_escaped(std::string_view text);

// Takes the 8-byte frames out of the output of a container without a terminal; keeps the last 1 MiB of text.
class DockerFrames {
 public:
  void add(std::string_view bytes);
  std::string text() &&;

 private:
  std::string head_;   // of a frame, as far as it has come
  uint64_t left_ = 0;  // of the frame's text
  std::string text_;
};

// "1.41" against "1.9": by number. Negative: a is older.
int compare_versions(std::string_view a, std::string_view b);

}  // namespace daruma::runtime
