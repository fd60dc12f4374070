// api/commands.h: what lastminutestay-api does besides serving: migrate, generate, token.
//
// Threads: one.
#pragma once

#include <vector>

#include "service/program.h"

namespace lastminutestay {

std::vector<daruma::service::Command> commands();

}  // namespace lastminutestay
