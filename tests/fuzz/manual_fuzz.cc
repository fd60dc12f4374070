// Fuzzes the import of manuals: Markdown, shell and SQL of strangers.
//
// Input:  a text.
// Checks: it comes to an end; every draft is a plan; every danger stands in a line of the text, and has
//         words.
#include <algorithm>
#include <string>

#include "fuzz.h"
#include "run/import.h"

using namespace daruma;
using namespace daruma::run;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  // What is not UTF-8 cannot stand in a plan's file.
  if (to_json(Value(text)).find("\xEF\xBF\xBD") != std::string::npos) return 0;
  const LintWorld world{.has_file = [](const std::string&) { return false; }, .now = Instant{}};
  const Import import = import_manual(text, "/manual.md", world);
  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  for (const Danger& danger : import.dangers) {
    FUZZ_CHECK(danger.line >= 1 && danger.line <= lines);
    FUZZ_CHECK(!text_of(danger, true).empty() && !text_of(danger, false).empty());
  }
  for (const Draft& draft : import.drafts) {
    const Result<Plan> plan = parse_plan(draft_text(draft, import.dangers), "/draft.yaml");
    if (!plan.ok())
      std::fprintf(stderr, "%s\n%s\n", plan.error().what.c_str(), draft_text(draft, import.dangers).c_str());
    FUZZ_CHECK(plan.ok());
    FUZZ_CHECK(plan->steps.size() == draft.plan.steps.size());
  }
  return 0;
}
