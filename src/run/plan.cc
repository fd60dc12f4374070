#include "run/plan.h"

#include <sstream>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include "base/size.h"
#include "run/plan_links.h"
#include "run/plan_reader.h"

namespace daruma::run {
namespace {

constexpr uint64_t kLargestPlan = kMiB;

Error as_error(const Path& file, const std::vector<settings::Reader::Problem>& problems) {
  std::string what;
  for (const auto& problem : problems)
    what += fmt::format("{}{}:{}:{}: {}", what.empty() ? "" : "\n", file.string(), problem.line,
                        problem.column, problem.what);
  return {Errc::kInvalid, what, "`daruma help plan` and docs/plan-language.md explain the language"};
}

// Notes where documents start and aliases stand: an alias hides from the reader what will be done.
class Marks final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override { document = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { aliases.push_back(mark); }
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
  }
  void OnMapEnd() override {}

  YAML::Mark document;
  std::vector<YAML::Mark> aliases;
};

void read_text(settings::Reader& reader, const std::string& text, Plan& plan) {
  const YAML::Node first = YAML::Load(text);  // throws, where HandleNextDocument might not end
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Marks marks;
  parser.HandleNextDocument(marks);
  for (const YAML::Mark& alias : marks.aliases)
    reader.problem(alias, "an alias; write out what it stands for, so that whoever reads the plan sees it");
  if (!marks.aliases.empty()) return;
  if (parser) {
    parser.HandleNextDocument(marks);
    reader.problem(marks.document, "a second document; one file holds one plan");
  }
  plan_table().read(reader, first, plan);
  link_plan(reader, first, plan);
}

}  // namespace

std::string_view to_string(Target target) {
  switch (target) {
    case Target::kProduction:
      return "production";
    case Target::kStaging:
      return "staging";
    case Target::kSandbox:
      break;
  }
  return "sandbox";
}

Result<Plan> parse_plan(const std::string& text, const Path& file) {
  settings::Reader reader(file.parent_path());
  Plan plan;
  plan.file = file;
  try {
    if (text.size() > kLargestPlan)
      reader.problem(YAML::Mark(), fmt::format("{} bytes; a plan has at most {}", text.size(), kLargestPlan));
    else
      read_text(reader, text, plan);
  } catch (const YAML::Exception& exception) {
    reader.problem(exception.mark.is_null() ? YAML::Mark() : exception.mark, "not YAML: " + exception.msg);
  }
  if (const auto problems = reader.take_problems(); !problems.empty()) return as_error(file, problems);
  return plan;
}

}  // namespace daruma::run
