// The level, the plan and the next command that judge() proposes.
#include <fmt/format.h>

#include <algorithm>

#include "base/shell_word.h"
#include "run/step_type.h"
#include "watch/judge_parts.h"

namespace daruma::watch {
namespace {

using run::ParameterType;
using run::Plan;
using runtime::State;

const ServiceFacts* service_of(const Facts& facts, std::string_view name) {
  for (const ServiceFacts& service : facts.services)
    if (service.config.name == name) return &service;
  return nullptr;
}

const DatastoreFacts* datastore_of(const Facts& facts, std::string_view name) {
  for (const DatastoreFacts& datastore : facts.datastores)
    if (datastore.config.name == name) return &datastore;
  return nullptr;
}

bool runs_a_datastore(const ServiceFacts& service, const Facts& facts) {
  return std::ranges::any_of(facts.datastores, [&](const DatastoreFacts& datastore) {
    return datastore.config.service == service.config.name;
  });
}

bool is_down(const Findings& findings, std::string_view name) {
  return std::ranges::any_of(findings.findings, [&](const Finding& finding) {
    return finding.severity == Severity::kDown && finding.subject == name;
  });
}

bool has_effect(const Plan& plan, run::Effect least) {
  return std::ranges::any_of(plan.steps, [&](const run::Step& step) {
    const run::StepType* type = run::find_step_type(step.action.type);
    return type && type->effect >= least;
  });
}

// Whether people must agree to it before it goes on.
bool asks_first(const Plan& plan) {
  return has_effect(plan, run::Effect::kDestroy) ||
         std::ranges::any_of(plan.steps, [](const run::Step& step) {
           return step.approve.has_value() || step.action.type == "approve";
         });
}

// The alerts that the manuals name for a kind of failure.
std::string_view alert_of(DatastoreKind kind) {
  return kind == DatastoreKind::kRedis ? "RedisDown" : "PostgreSQLDown";
}
constexpr std::string_view kBreakerAlert = "CircuitBreakerOpen";

// How well a plan fits what is down; 0: not at all.
int fit_to_root(const Plan& plan, const std::string& root, const Facts& facts) {
  const std::set<std::string> ours = one_with(root, facts);
  int best = 0;
  for (const run::Detection& detection : plan.detect) {
    if (!detection.probe.empty() && ours.contains(detection.probe))
      best = std::max(best, detection.probe == root ? 4 : 3);
    for (const std::string& name : ours)
      if (const DatastoreFacts* datastore = datastore_of(facts, name);
          datastore && detection.alert == alert_of(datastore->config.kind))
        best = std::max(best, 2);
  }
  if (best > 0 || !has_effect(plan, run::Effect::kChange)) return best;
  for (const run::Parameter& parameter : plan.parameters) {
    const bool thing =
        parameter.type == ParameterType::kService || parameter.type == ParameterType::kDatastore;
    if (thing && parameter.standard && parameter.standard->text() &&
        ours.contains(*parameter.standard->text()))
      return 1;
  }
  return 0;
}

int fit_to_breakers(const Plan& plan, const Facts& facts) {
  int best = 0;
  for (const ServiceFacts& service : facts.services)
    for (const OpenBreaker& breaker : service.open_breakers)
      for (const run::Detection& detection : plan.detect) {
        if (detection.alert == kBreakerAlert) best = std::max(best, 2);
        if (is_called(detection.probe, breaker.name, facts)) best = std::max(best, 4);
      }
  return best;
}

// How much of a system is down.
struct Extent {
  size_t components = 0;  // a datastore and the service that runs it are one
  bool database = false, application = false, outside = false, host = false;
};

Extent extent_of(const Findings& findings, const Facts& facts) {
  Extent extent;
  bool some_runs = false;
  size_t services_down = 0;
  for (const ServiceFacts& service : facts.services) {
    extent.outside |= !service.open_breakers.empty();
    some_runs |= service.status && service.status->state == State::kRunning;
    if (!is_down(findings, service.config.name)) continue;
    ++services_down;
    ++extent.components;
    extent.application |= !runs_a_datastore(service, facts);
  }
  for (const DatastoreFacts& datastore : facts.datastores) {
    if (!is_down(findings, datastore.config.name)) continue;
    extent.database |= datastore.config.kind == DatastoreKind::kPostgres;
    if (!is_down(findings, datastore.config.service)) ++extent.components;
  }
  extent.host = !some_runs && services_down > 1 && services_down == facts.services.size();
  return extent;
}

uint32_t level_by_rule(const std::string& scheme, const Extent& extent) {
  if (extent.host) return 3;
  if (scheme == "backend") {
    if (extent.database || extent.application) return 3;
    return extent.outside || extent.components > 1 ? 2 : 1;
  }
  return extent.database || extent.components > 1 ? 2 : 1;
}

run::Text effect_of(const std::string& scheme, uint32_t level) {
  if (scheme == "backend") {
    if (level <= 1) return text("little is affected", "影響は限定的です");
    if (level == 2) return text("some functions are unavailable", "一部機能が利用できません");
    return text("the service is unavailable", "サービスを利用できません");
  }
  if (scheme != "microservices") return {};
  if (level <= 1) return text("one component is affected", "単一コンポーネントの障害です");
  if (level == 2)
    return text("several components or a database are affected",
                "複数コンポーネントまたはデータベースの障害です");
  if (level == 3) return text("the host is lost", "ホスト全体の障害です");
  return text("the site is lost", "拠点全体の障害です");
}

// The scheme that most plans use; without plans, what the system looks like.
std::string usual_scheme(const Facts& facts) {
  std::map<std::string, size_t> counts;
  for (const Plan& plan : facts.plans)
    if (!plan.scheme.empty()) ++counts[plan.scheme];
  if (!counts.empty())
    return std::ranges::max_element(counts, {}, [](const auto& entry) { return entry.second; })->first;
  const auto applications = std::ranges::count_if(
      facts.services, [&](const ServiceFacts& service) { return !runs_a_datastore(service, facts); });
  return applications > 1 ? "microservices" : "backend";
}

std::string_view placeholder(ParameterType type) {
  switch (type) {
    case ParameterType::kPath:
      return "PATH";
    case ParameterType::kTime:
      return "TIME";
    case ParameterType::kInteger:
      return "N";
    default:
      return "VALUE";
  }
}

std::string recover_line(const Plan& plan, const std::string& root, const Facts& facts) {
  std::string line = "daruma recover " + shell_word(plan.name);
  const std::set<std::string> ours = one_with(root, facts);
  for (const run::Parameter& parameter : plan.parameters) {
    if (parameter.standard) continue;
    std::string value(placeholder(parameter.type));
    for (const std::string& name : ours)
      if ((parameter.type == ParameterType::kService && service_of(facts, name)) ||
          (parameter.type == ParameterType::kDatastore && datastore_of(facts, name)))
        value = name;
    line += fmt::format(" --param {}={}", parameter.name, value);
  }
  return line;
}

// The service to start or restart for a root; nullptr: it is none of ours.
const ServiceFacts* service_behind(const std::string& root, const Facts& facts) {
  if (const ServiceFacts* service = service_of(facts, root)) return service;
  const DatastoreFacts* datastore = datastore_of(facts, root);
  return datastore ? service_of(facts, datastore->config.service) : nullptr;
}

bool has_stopped(const ServiceFacts& service) {
  return service.status &&
         (service.status->state == State::kStopped || service.status->state == State::kFailed);
}

Next by_hand(const std::string& root, const Facts& facts) {
  if (const ServiceFacts* service = service_behind(root, facts)) {
    const std::string& name = service->config.name;
    if (has_stopped(*service))
      return {.commands = service->start,
              .why = text(fmt::format("{} does not run", name), fmt::format("{} が動いていません", name))};
    return {.commands = service->restart,
            .why = text(fmt::format("{} does not answer; no plan fits it", name),
                        fmt::format("{} が応答しません。該当する復旧プランはありません", name))};
  }
  for (const DiskFacts& disk : facts.disks)
    if (subject_of(disk) == root)
      return {
          .commands = {fmt::format("du -xhd 2 {} | sort -h | tail -n 20", shell_word(disk.path.string()))},
          .why = text("see what fills the disk", "ディスクを埋めているものを確認します")};
  const DatastoreFacts* datastore = datastore_of(facts, root);
  if (!datastore) return {};
  const ConnectionConfig& to = datastore->config.connection;
  const bool redis = datastore->config.kind == DatastoreKind::kRedis;
  std::string line = redis ? "redis-cli -h " : "pg_isready -h ";
  line += shell_word(to.host);
  if (to.port != 0) line += fmt::format(" -p {}", to.port);
  return {.commands = {line + (redis ? " ping" : "")},
          .why = text("daruma.yaml names no service that runs it, and no plan fits it",
                      "これを動かすサービスも、該当する復旧プランもありません")};
}

Next of_run(const RunFacts& run) {
  switch (run.is) {
    case RunIs::kWaitsForPerson:
      return {.commands = {"daruma runs " + run.id},
              .why = text(fmt::format("a run of {} waits for a person", run.plan),
                          fmt::format("{} の実行が人の判断を待っています", run.plan))};
    case RunIs::kStandsStill:
      return {.commands = {"daruma resume " + run.id},
              .why = text(fmt::format("a run of {} stands still: nobody carries it out", run.plan),
                          fmt::format("{} の実行が止まっています", run.plan))};
    case RunIs::kCarried:
      break;
  }
  return {.commands = {"daruma runs " + run.id},
          .why = text(fmt::format("a run of {} is under way: watch it", run.plan),
                      fmt::format("{} を実行中です。経過を確認します", run.plan))};
}

Next of_plan(const Plan& plan, const std::string& root, const Facts& facts) {
  Next next{.commands = {recover_line(plan, root, facts)}, .why = plan.title};
  const ServiceFacts* service = service_behind(root, facts);
  // Before a plan that people must agree to, see whether what has merely ended comes up again.
  if (!service || !has_stopped(*service) || !asks_first(plan)) return next;
  Next first = by_hand(root, facts);
  first.otherwise = next.commands;
  first.otherwise_why = plan.title;
  return first;
}

}  // namespace

std::set<std::string> one_with(const std::string& root, const Facts& facts) {
  std::set<std::string> out{root};
  for (const DatastoreFacts& datastore : facts.datastores) {
    if (datastore.config.service == root) out.insert(datastore.config.name);
    if (datastore.config.name == root && !datastore.config.service.empty())
      out.insert(datastore.config.service);
  }
  return out;
}

const Plan* fitting_plan(const Findings& findings, const Facts& facts) {
  const Plan* best = nullptr;
  int best_fit = 0;
  for (const Plan& plan : facts.plans) {
    const int fit =
        findings.root.empty() ? fit_to_breakers(plan, facts) : fit_to_root(plan, findings.root, facts);
    // Of equals the mildest; plans are sorted by name.
    if (fit > best_fit || (fit == best_fit && fit > 0 && plan.level < best->level)) {
      best = &plan;
      best_fit = fit;
    }
  }
  return best;
}

Level proposed_level(const Findings& findings, const Facts& facts, const Plan* plan) {
  Level level{.scheme = plan && !plan->scheme.empty() ? plan->scheme : usual_scheme(facts)};
  const uint32_t ruled = level_by_rule(level.scheme, extent_of(findings, facts));
  const bool all_explained = std::ranges::all_of(findings.findings, [&](const Finding& finding) {
    return finding.severity != Severity::kDown || finding.subject == findings.root ||
           finding.because_of == findings.root;
  });
  level.number = !plan || plan->level == 0 ? ruled
                 : all_explained           ? plan->level
                                           : std::max(plan->level, ruled);
  level.effect = effect_of(level.scheme, level.number);
  return level;
}

Next next_step(const Findings& findings, const Facts& facts, const Plan* plan) {
  if (!facts.runs.empty()) return of_run(facts.runs.front());
  if (plan) return of_plan(*plan, findings.root, facts);
  if (!findings.root.empty()) return by_hand(findings.root, facts);
  for (const Finding& finding : findings.findings) {
    if (finding.severity != Severity::kImpaired) continue;
    if (finding.subject.starts_with("disk ")) return by_hand(finding.subject, facts);
  }
  for (const CaptureFacts& capture : facts.captures)
    if (!capture.serving)
      return {
          .commands = {"daruma serve"},
          .why = text("without it nothing new is protected", "動いていない間、新しい変更は保護されません")};
  return {};
}

}  // namespace daruma::watch
