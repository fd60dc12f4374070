#include "run/plan.h"

#include "base/enum_words.h"
#include "base/size.h"
#include "config/settings_file.h"
#include "run/plan_links.h"
#include "run/plan_reader.h"

namespace daruma::run {
namespace {

constexpr uint64_t kLargestPlan = kMiB;
constexpr std::string_view kTargets[] = {"production", "staging", "sandbox"};

}  // namespace

std::string_view to_string(Target target) { return kTargets[static_cast<size_t>(target)]; }

std::optional<Target> target_named(std::string_view word) { return enum_named<Target>(kTargets, word); }

Result<Plan> parse_plan(const std::string& text, const Path& file) {
  const settings::FileKind kind{.largest = kLargestPlan,
                                .aliases = settings::Aliases::kRefused,
                                .hint = "`daruma help plans` and docs/plan-language.md explain the language"};
  Plan plan;
  plan.file = file;
  DR_OK(settings::read_settings(text, file, kind, [&](settings::Reader& reader, const YAML::Node& node) {
    plan_table().read(reader, node, plan);
    link_plan(reader, node, plan);
  }));
  return plan;
}

}  // namespace daruma::run
