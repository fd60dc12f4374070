// cli/look_view.h: what `daruma look` prints: one page that a person under stress reads from the top.
//
// Threads: plain functions.
#pragma once

#include <string>

#include "base/value.h"
#include "cli/output.h"
#include "watch/judge.h"

namespace daruma {

// In lines of at most 80 columns; commands are never broken. `output` tells whether there are colours.
std::string look_text(const Output& output, const watch::Facts& facts, const watch::Findings& findings,
                      bool japanese);
Value look_value(const watch::Facts& facts, const watch::Findings& findings);

// Text in lines of at most `columns`, each begun with `indent`: broken at spaces, or anywhere where there are
// none.
std::string wrapped(const std::string& text, const std::string& indent, size_t columns);

}  // namespace daruma
