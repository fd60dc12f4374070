#include "service/reconnect.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace daruma::service {

Duration Backoff::after_failure() {
  constexpr unsigned kDoublingsMax = 16;
  const Duration bound = std::min(kMost, kFirst * (int64_t{1} << std::min(failures_, kDoublingsMax)));
  ++failures_;
  uint32_t drawn = 0;
  random_.fill(std::as_writable_bytes(std::span(&drawn, 1)));
  const double part = static_cast<double>(drawn) / 4294967296.0;
  return std::chrono::duration_cast<Duration>(bound * part);
}

void Outage::lost(const std::string& cause) {
  if (lasting_) return;
  lasting_ = true;
  tries_failed_ = 0;
  since_ = clock_.mono();
  cause_ = cause;
}

void Outage::try_failed(const std::string& cause) {
  lost(cause);
  ++tries_failed_;
  const MonoInstant now = clock_.mono();
  if (tries_failed_ > 1 && now - told_ < kTellAgain) return;
  told_ = now;
  log_.error({.severity = Severity::kError,
              .request_id = {},
              .dependency = dependency_,
              .message = tries_failed_ == 1
                             ? fmt::format("{} is away: {}", dependency_, cause)
                             : fmt::format("{} is still away after {} ({} tries): {}", dependency_,
                                           human_duration(now - since_), tries_failed_, cause),
              .recovered = {}});
}

void Outage::over() {
  if (!lasting_) return;
  lasting_ = false;
  const Duration took = clock_.mono() - since_;
  log_.error({.severity = Severity::kWarning,
              .request_id = {},
              .dependency = dependency_,
              .message = fmt::format("lost the connection to {}: {}", dependency_, cause_),
              .recovered = fmt::format("by connecting anew after {}, {} {}", human_duration(took),
                                       tries_failed_ + 1, tries_failed_ == 0 ? "try" : "tries")});
}

}  // namespace daruma::service
