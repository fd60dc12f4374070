// api/api_service.h: a worker of lastminutestay-api: its clients, its breaker, its routes, its health checks.
//
// Threads: the worker's one.
#pragma once

#include <memory>

#include "service/program.h"

namespace lastminutestay {

std::unique_ptr<daruma::service::Service> make_api_service(daruma::service::Worker& worker);

}  // namespace lastminutestay
