// runtime/shim_talk.h: what is said between a shim and those who give it orders.
//
// Format:  docs/format/services.md: one message each way, JSON, over STATE/services/NAME/shim.sock.
// Threads: plain values and functions.
#pragma once

#include <string>

#include "base/value.h"
#include "runtime/service_folder.h"

namespace daruma::runtime {

enum class Order : uint8_t { kStatus, kStart, kStop, kRestart, kReload, kScale };

struct ShimRequest {
  Order order = Order::kStatus;
  Duration patience = Duration{0};  // how long the answer is waited for
  uint32_t instances = 0;           // of kScale
};

std::string encode(const ShimRequest& request);
// kInvalid: not a request.
Result<ShimRequest> parse_request(std::string_view text);

// An answer is {"record": …} of kStatus, {} of what was done, or {"error": …}.
std::string encode(const ServiceRecord& record);
std::string encode(const Status& outcome);
// The record, or null, or the error that the other side met. kCorrupt: not an answer.
Result<Value> parse_answer(std::string_view text);

}  // namespace daruma::runtime
