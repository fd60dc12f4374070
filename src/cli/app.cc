#include "cli/app.h"

#include <fmt/format.h>

#include "base/enum_words.h"
#include "cli/json.h"

namespace daruma {
namespace {

int exit_of(Errc code) {
  return code == Errc::kInvalid ? kUsage : code == Errc::kRefused ? kRefused : kFailed;
}

// Further lines of a message stand below the first, so that a list of problems reads as one.
std::string indented(std::string text) {
  for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 3) text.replace(at, 1, "\n  ");
  return text;
}

}  // namespace

int report_error(App& app, const Error& error) {
  if (app.json) {
    Json inner = Json::object();
    inner.set("code", to_string(error.code)).set("what", error.what).set("hint", error.hint);
    app.err.write(Json::object().set("error", std::move(inner)).compact() + "\n");
    return exit_of(error.code);
  }
  app.err.write(paint(app.err, Colour::kRed, "daruma:") + " " + indented(error.what) + "\n");
  if (!error.hint.empty()) app.err.write(fmt::format("  hint: {}\n", indented(error.hint)));
  return exit_of(error.code);
}

}  // namespace daruma
