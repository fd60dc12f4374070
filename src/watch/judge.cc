#include "watch/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/size.h"
#include "watch/judge_parts.h"

namespace daruma::watch {
namespace {

using runtime::State;

constexpr double kDiskFullPercent = 99, kDiskTightPercent = 90;
constexpr double kConnectionsTight = 0.9;
constexpr double kMemoryTight = 0.05;
constexpr double kLoadHigh = 4;  // for each processor

std::string_view japanese(State state) {
  switch (state) {
    case State::kRunning:
      return "動作中";
    case State::kStarting:
      return "起動中";
    case State::kStopping:
      return "停止処理中";
    case State::kStopped:
      return "停止中";
    case State::kFailed:
      return "異常終了";
    case State::kUnknown:
      break;
  }
  return "不明";
}

std::string after_colon(const std::string& words) { return words.empty() ? "" : ": " + words; }

std::string plain(std::string_view name) {
  std::string out;
  for (const char c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) != 0)
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

const DatastoreFacts* datastore_of(const Facts& facts, std::string_view name) {
  for (const DatastoreFacts& datastore : facts.datastores)
    if (datastore.config.name == name) return &datastore;
  return nullptr;
}

// Its health check, whatever that asks.
struct Health {
  std::optional<bool> well;
  std::string error;
};

Health health_of(const ServiceFacts& service, const Facts& facts) {
  if (!service.config.health || service.config.health->datastore.empty())
    return {service.well, service.health_error};
  const DatastoreFacts* datastore = datastore_of(facts, service.config.health->datastore);
  return datastore ? Health{datastore->answers, datastore->error} : Health{};
}

// The first error of the last minutes that names the subject.
std::optional<Instant> first_error(std::string_view subject, const Facts& facts) {
  std::optional<Instant> first;
  for (const ServiceFacts& service : facts.services)
    for (const ErrorGroup& group : service.errors)
      if (group.first && (!first || *group.first < *first) && is_called(subject, group.dependency, facts))
        first = group.first;
  return first;
}

Finding not_answering(const std::string& subject, const std::string& error, const Facts& facts) {
  return {.severity = Severity::kDown,
          .subject = subject,
          .what = text("does not answer" + after_colon(error), "応答なし" + after_colon(error)),
          .since = first_error(subject, facts),
          .at_least = true};
}

Finding not_running(const ServiceFacts& service, bool answers) {
  const runtime::ServiceStatus& status = *service.status;
  const std::string state(runtime::to_string(status.state));
  const std::string more = after_colon(status.detail);
  const std::string again = status.restarts == 0 ? "" : fmt::format(", restarted {} times", status.restarts);
  const std::string again_ja = status.restarts == 0 ? "" : fmt::format("、再起動 {} 回", status.restarts);
  Finding finding{
      .severity = Severity::kDown,
      .subject = service.config.name,
      .what = text(state + again + more, fmt::format("{}{}{}", japanese(status.state), again_ja, more)),
      .since = status.since};
  if (!answers) return finding;
  finding.severity = Severity::kImpaired;
  finding.what = text(fmt::format("answers, though its runtime says: {}{}", state, more),
                      fmt::format("応答しますが、ランタイムによれば{}です{}", japanese(status.state), more));
  return finding;
}

std::optional<Finding> judge_service(const ServiceFacts& service, const Facts& facts) {
  const std::string& name = service.config.name;
  const auto [well, error] = health_of(service, facts);
  if (service.status && service.status->state != State::kRunning && service.status->state != State::kUnknown)
    return not_running(service, well == true);
  if (well == false) {
    Finding finding = not_answering(name, error, facts);
    if (service.status && service.status->state == State::kRunning)
      finding.what =
          text("runs, but does not answer" + after_colon(error), "動作中ですが応答なし" + after_colon(error));
    return finding;
  }
  if (well == true) return std::nullopt;
  if (service.missing)
    return Finding{.severity = Severity::kDown,
                   .subject = name,
                   .what = text(service.status_error,
                                "ランタイムに登録がありません" + after_colon(service.status_error))};
  if (!service.status || service.status->state == State::kUnknown)
    return Finding{.severity = Severity::kUnknown,
                   .subject = name,
                   .what = text("its runtime cannot say" + after_colon(service.status_error),
                                "ランタイムが応答しません" + after_colon(service.status_error))};
  if (service.status->health == "unhealthy")
    return Finding{.severity = Severity::kDown,
                   .subject = name,
                   .what = text("runs; its runtime finds it unhealthy",
                                "動作中ですが、ランタイムの検査に合格していません")};
  return std::nullopt;
}

void judge_breakers(const ServiceFacts& service, bool is_well, std::vector<Finding>& out) {
  for (const OpenBreaker& breaker : service.open_breakers)
    out.push_back({.severity = Severity::kImpaired,
                   .subject = service.config.name,
                   .what = text(fmt::format("circuit breaker {} is open: calls are cut off", breaker.name),
                                fmt::format("サーキットブレーカー {} が遮断中 (OPEN)", breaker.name)),
                   .since = breaker.since});
  if (!service.breakers_error.empty() && is_well)
    out.push_back({.severity = Severity::kUnknown,
                   .subject = service.config.name,
                   .what = text("its circuit breakers cannot be listed: " + service.breakers_error,
                                "サーキットブレーカーを確認できません: " + service.breakers_error)});
}

std::optional<Finding> judge_datastore(const DatastoreFacts& datastore, const Facts& facts) {
  const std::string& name = datastore.config.name;
  if (!datastore.answers)
    return Finding{.severity = Severity::kUnknown,
                   .subject = name,
                   .what = text("could not be asked" + after_colon(datastore.error),
                                "確認できません" + after_colon(datastore.error))};
  if (!*datastore.answers) return not_answering(name, datastore.error, facts);
  const uint64_t used = datastore.connections.value_or(0), most = datastore.connections_most.value_or(0);
  if (most == 0 || static_cast<double>(used) < kConnectionsTight * static_cast<double>(most))
    return std::nullopt;
  return Finding{.severity = Severity::kImpaired,
                 .subject = name,
                 .what = text(fmt::format("{} of {} connections are in use", used, most),
                              fmt::format("接続数 {} / 上限 {}", used, most))};
}

std::optional<Finding> judge_disk(const DiskFacts& disk) {
  Finding finding{.subject = subject_of(disk)};
  if (!disk.reading) {
    finding.severity = Severity::kUnknown;
    finding.what =
        text("cannot be read" + after_colon(disk.error), "確認できません" + after_colon(disk.error));
    return finding;
  }
  const double used = disk.reading->used_percent();
  if (used < kDiskTightPercent) return std::nullopt;
  const std::string free = human_bytes(disk.reading->free_bytes);
  finding.severity = used < kDiskFullPercent ? Severity::kImpaired : Severity::kDown;
  finding.what = finding.severity == Severity::kDown
                     ? text(fmt::format("full: {} left", free), fmt::format("満杯（残り {}）", free))
                     : text(fmt::format("{:.0f} % full, {} left", used, free),
                            fmt::format("使用率 {:.0f} %（残り {}）", used, free));
  return finding;
}

void judge_machine(const Facts& facts, std::vector<Finding>& out) {
  if (!facts.machine) return;
  const probe::SystemReading& machine = *facts.machine;
  const auto total = static_cast<double>(machine.memory_bytes);
  const std::string available = human_bytes(machine.memory_available_bytes);
  if (static_cast<double>(machine.memory_available_bytes) < kMemoryTight * total)
    out.push_back({.severity = Severity::kImpaired,
                   .subject = "machine",
                   .what = text(fmt::format("only {} of memory are left", available),
                                fmt::format("空きメモリは {} です", available))});
  if (machine.load_5m > kLoadHigh * facts.processors)
    out.push_back(
        {.severity = Severity::kNote,
         .subject = "machine",
         .what = text(fmt::format("busy: load {:.1f} on {} processors", machine.load_5m, facts.processors),
                      fmt::format("高負荷: ロードアベレージ {:.1f}（{} プロセッサ）", machine.load_5m,
                                  facts.processors))});
}

void judge_capture(const CaptureFacts& capture, const Facts& facts, std::vector<Finding>& out) {
  const DatastoreFacts* datastore = datastore_of(facts, capture.datastore);
  if (datastore && datastore->answers == false) return;  // nothing to capture, and that is said already
  if (!capture.serving)
    out.push_back({.severity = Severity::kImpaired,
                   .subject = capture.datastore,
                   .what = text("`daruma serve` does not run: nothing new of it is protected",
                                "`daruma serve` が動いていません。新しい変更は保護されていません")});
  else if (capture.state != "streaming")
    out.push_back(
        {.severity = Severity::kImpaired,
         .subject = capture.datastore,
         .what = text(fmt::format("its capture is {}{}", capture.state, after_colon(capture.problem)),
                      fmt::format("更新ログの取得: {}{}", capture.state, after_colon(capture.problem)))});
}

// Everything wrong, in the order of daruma.yaml.
std::vector<Finding> all_findings(const Facts& facts) {
  std::vector<Finding> out;
  const auto keep = [&](std::optional<Finding> finding) {
    if (finding) out.push_back(*std::move(finding));
  };
  for (const DiskFacts& disk : facts.disks) keep(judge_disk(disk));
  for (const DatastoreFacts& datastore : facts.datastores) keep(judge_datastore(datastore, facts));
  for (const ServiceFacts& service : facts.services) {
    const auto finding = judge_service(service, facts);
    keep(finding);
    judge_breakers(service, !finding, out);
  }
  for (const CaptureFacts& capture : facts.captures) judge_capture(capture, facts, out);
  judge_machine(facts, out);
  if (facts.halted)
    out.push_back({.severity = Severity::kImpaired,
                   .subject = "runs",
                   .what = text(*facts.halted + "; let them act again: daruma halt --release",
                                *facts.halted + "（解除: daruma halt --release）")});
  for (const std::string& unseen : facts.unseen)
    out.push_back({.severity = Severity::kUnknown, .subject = "daruma", .what = text(unseen, unseen)});
  return out;
}

// Which of what is down explains the rest.
void find_root(Findings& findings, const Facts& facts) {
  const Needs needs(facts);
  std::vector<Finding*> down;
  std::map<std::string, std::set<std::string>> reach;
  for (Finding& finding : findings.findings)
    if (finding.severity == Severity::kDown) {
      down.push_back(&finding);
      reach[finding.subject] = needs.all_of(finding.subject);
    }
  const auto needed_by = [&](const std::string& name) {
    std::vector<std::string> out;
    for (const Finding* other : down)
      if (other->subject != name && reach[other->subject].contains(name)) out.push_back(other->subject);
    return out;
  };
  const auto explained = [&](const Finding* finding) {
    return std::ranges::any_of(down, [&](const Finding* other) {
      return other->subject != finding->subject && reach[finding->subject].contains(other->subject);
    });
  };
  std::vector<Finding*> roots;
  std::ranges::copy_if(down, std::back_inserter(roots),
                       [&](const Finding* each) { return !explained(each); });
  if (roots.empty()) roots = down;  // they need each other, in a circle
  if (roots.empty()) return;
  const Finding* root = *std::ranges::max_element(roots, [&](const Finding* a, const Finding* b) {
    const size_t left = needed_by(a->subject).size(), right = needed_by(b->subject).size();
    if (left != right) return left < right;
    return b->since && (!a->since || *b->since < *a->since);  // of equals, what failed first
  });
  findings.root = root->subject;
  findings.needed_by = needed_by(root->subject);
  for (Finding* finding : down)
    for (const Finding* cause : roots)
      if (cause != finding && reach[finding->subject].contains(cause->subject) &&
          (finding->because_of.empty() || cause == root))
        finding->because_of = cause->subject;
}

// The root, what it explains, what else is down, and then the rest.
int rank(const Finding& finding, const std::string& root) {
  if (finding.severity != Severity::kDown) return 10 + static_cast<int>(finding.severity);
  return finding.subject == root ? 0 : finding.because_of == root ? 1 : 2;
}

void name_the_well(Findings& findings, const Facts& facts) {
  const auto add = [&](const std::string& name) {
    if (std::ranges::find(findings.findings, name, &Finding::subject) == findings.findings.end())
      findings.well.push_back(name);
  };
  for (const DatastoreFacts& datastore : facts.datastores) add(datastore.config.name);
  for (const ServiceFacts& service : facts.services) add(service.config.name);
}

}  // namespace

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::kDown:
      return "down";
    case Severity::kImpaired:
      return "impaired";
    case Severity::kUnknown:
      return "unknown";
    case Severity::kNote:
      break;
  }
  return "note";
}

run::Text text(std::string en, std::string ja) { return {.ja = std::move(ja), .en = std::move(en)}; }

std::string subject_of(const DiskFacts& disk) { return "disk " + disk.path.string(); }

bool is_called(std::string_view subject, std::string_view dependency, const Facts& facts) {
  if (dependency.empty()) return false;
  const std::string name = plain(dependency);
  if (name == plain(subject)) return true;
  const DatastoreFacts* datastore = datastore_of(facts, subject);
  if (!datastore) return false;
  const DatastoreKind kind = datastore->config.kind;
  const auto same_kind =
      std::ranges::count(facts.datastores, kind, [](const DatastoreFacts& each) { return each.config.kind; });
  if (same_kind != 1) return false;
  return kind == DatastoreKind::kRedis ? name == "redis" : name == "postgresql" || name == "postgres";
}

Needs::Needs(const Facts& facts) {
  for (const ServiceFacts& service : facts.services) direct_[service.config.name] = service.config.needs;
  for (const DatastoreFacts& datastore : facts.datastores)
    if (!datastore.config.service.empty()) direct_[datastore.config.name].push_back(datastore.config.service);
  for (const DiskFacts& disk : facts.disks)
    if (!disk.datastore.empty()) direct_[disk.datastore].push_back(subject_of(disk));
}

std::set<std::string> Needs::all_of(const std::string& subject) const {
  std::set<std::string> seen;
  std::vector<std::string> open{subject};
  while (!open.empty()) {
    const auto direct = direct_.find(open.back());
    open.pop_back();
    if (direct == direct_.end()) continue;
    for (const std::string& need : direct->second)
      if (seen.insert(need).second) open.push_back(need);
  }
  return seen;
}

Findings judge(const Facts& facts) {
  Findings findings{.at = facts.at};
  findings.findings = all_findings(facts);
  find_root(findings, facts);
  std::ranges::stable_sort(findings.findings, {},
                           [&](const Finding& each) { return rank(each, findings.root); });
  name_the_well(findings, facts);
  const run::Plan* plan = fitting_plan(findings, facts);
  const bool down = !findings.root.empty();
  const bool breakers = std::ranges::any_of(
      facts.services, [](const ServiceFacts& each) { return !each.open_breakers.empty(); });
  if (down || breakers) {
    findings.level = proposed_level(findings, facts, plan);
    if (plan && !plan->impact.empty()) findings.impact.push_back(plan->impact);
  }
  findings.next = next_step(findings, facts, plan);
  findings.all_well = facts.runs.empty() && std::ranges::all_of(findings.findings, [](const Finding& each) {
                        return each.severity == Severity::kNote;
                      });
  return findings;
}

}  // namespace daruma::watch
