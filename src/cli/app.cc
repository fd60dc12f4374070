#include "cli/app.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "cli/json.h"

namespace daruma {
namespace {

struct CodeRow {
  Errc code;
  std::string_view name;
  Exit exit;
};

constexpr std::array<CodeRow, 9> kCodes{{
    {Errc::kFailed, "failed", kFailed},
    {Errc::kInvalid, "invalid", kUsage},
    {Errc::kNotFound, "not_found", kFailed},
    {Errc::kExists, "exists", kFailed},
    {Errc::kCorrupt, "corrupt", kFailed},
    {Errc::kUnavailable, "unavailable", kFailed},
    {Errc::kNoSpace, "no_space", kFailed},
    {Errc::kRefused, "refused", kRefused},
    {Errc::kCancelled, "cancelled", kFailed},
}};

const CodeRow& row_of(Errc code) {
  const auto row = std::ranges::find(kCodes, code, &CodeRow::code);
  DR_CHECK(row != kCodes.end());
  return *row;
}

// Further lines of a message stand below the first, so that a list of problems reads as one.
std::string indented(std::string text) {
  for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 3) text.replace(at, 1, "\n  ");
  return text;
}

}  // namespace

std::string_view code_name(Errc code) { return row_of(code).name; }

int report_error(App& app, const Error& error) {
  const CodeRow& row = row_of(error.code);
  if (app.json) {
    Json inner = Json::object();
    inner.set("code", row.name).set("what", error.what).set("hint", error.hint);
    app.err.write(Json::object().set("error", std::move(inner)).compact() + "\n");
    return row.exit;
  }
  app.err.write(paint(app.err, Colour::kRed, "daruma:") + " " + indented(error.what) + "\n");
  if (!error.hint.empty()) app.err.write(fmt::format("  hint: {}\n", indented(error.hint)));
  return row.exit;
}

}  // namespace daruma
