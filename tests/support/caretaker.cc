#include "support/caretaker.h"

#include "base/check.h"

namespace daruma {
namespace {

// Its standard input ends with the test program.
constexpr const char* kScript = R"(
  cat > /dev/null
  pkill -TERM -f "(__shim |God Daemon \()$1/"
  tries=0
  while pgrep -f "$1/" || ! rm -rf -- "$1"; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || { pkill -KILL -f "$1/"; rm -rf -- "$1"; exit 1; }
    sleep 0.2
  done)";

}  // namespace

Caretaker::Caretaker(const Path& directory) {
  auto started = processes_->start(
      {.argv = {"sh", "-c", kScript, "caretaker", directory}, .output = "/dev/null", .fed = true});
  DR_CHECK(started.ok());
  process_ = *std::move(started);
}

}  // namespace daruma
