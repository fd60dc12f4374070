// tests/support/free_port.h: a port of 127.0.0.1 that nobody listens on right now.
#pragma once

#include <cstdint>

namespace daruma {

uint16_t free_port();

}  // namespace daruma
