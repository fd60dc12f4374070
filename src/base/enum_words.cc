#include "base/enum_words.h"

namespace daruma {
namespace {

constexpr std::string_view kCodes[] = {"failed",      "invalid",  "not_found", "exists",   "corrupt",
                                       "unavailable", "no_space", "refused",   "cancelled"};

}  // namespace

std::string_view to_string(Errc code) { return kCodes[static_cast<size_t>(code)]; }

std::optional<Errc> errc_named(std::string_view word) { return enum_named<Errc>(kCodes, word); }

}  // namespace daruma
