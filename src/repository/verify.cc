#include "repository/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "repository/note.h"
#include "repository/verify_log.h"
#include "repository/verify_snapshots.h"

namespace daruma {
namespace {

constexpr const char* kIdentityName = "repository";
constexpr const char* kPassphraseOnly = "everything, for who has only the passphrase";

std::string passphrase_key_name(const Repository& repository) {
  return fmt::format("keys/{:08x}", repository.keys().epoch());
}

// The id in "PREFIX<32 hex digits>", if that is all of the name.
std::optional<ObjectId> id_in(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return {};
  const auto id = ObjectId::parse(name.substr(prefix.size()));
  if (!id.ok() || id->hex() != name.substr(prefix.size())) return {};
  return *id;
}

std::optional<PackId> pack_in(const std::string& name) {
  constexpr size_t kIdAt = sizeof("packs/xx/") - 1;
  if (name.size() < kIdAt) return {};
  const auto pack = id_in(name, std::string_view(name).substr(0, kIdAt));
  if (!pack || pack_name(*pack) != name) return {};
  return pack;
}

void check_identity(VerifyRun& run) {
  size_t records = 0;
  bool has_passphrase = false;
  const Status read = run.repository.read_object(
      kIdentityName, ObjectType::kRepository, [&](uint64_t, const Bytes& record) -> Status {
        ByteReader in(record);
        const auto kind = in.get<uint8_t>();
        in.get<uint64_t>();
        in.get_string();
        has_passphrase = in.get<uint8_t>() == 1;
        if (kind != static_cast<uint8_t>(RecordKind::kIdentity) || !in.at_end())
          return Error{Errc::kCorrupt, "it is no identity"};
        ++records;
        return {};
      });
  const FindingBook::Hit everything{{}, "everything: the repository does not open without it"};
  if (read.is(Errc::kNotFound))
    run.damage(kIdentityName, "it is missing", everything);
  else if (!read.ok())
    run.damage(kIdentityName, cause_in(kIdentityName, read.error()), everything);
  else if (records != 1)
    run.damage(kIdentityName, fmt::format("it holds {} identities", records), everything);
  const std::string key = passphrase_key_name(run.repository);
  if (has_passphrase && !run.objects.contains(key)) run.damage(key, "it is missing", {{}, kPassphraseOnly});
  run.finished(kIdentityName);
}

void check_passphrase_key(VerifyRun& run, const std::string& name) {
  const auto object = run.repository.store().get(name);
  const Status whole =
      object.ok() ? check_passphrase_object(*object, run.repository.id()) : Status(object.error());
  if (!whole.ok()) run.damage(name, cause_in(name, whole.error()), {{}, kPassphraseOnly});
  run.finished(name);
}

// Of what is numbered from 1 with 16 hex digits at its end. Nothing: it is the first, or not so named.
std::optional<std::string> name_before(const std::string& name) {
  const size_t at = name.rfind('/') + 1;
  uint64_t number = 0;
  const auto [end, failed] = std::from_chars(&name[at], name.data() + name.size(), number, 16);
  if (failed != std::errc() || *end != '\0' || number < 2) return {};
  return fmt::format("{}{:016x}", name.substr(0, at), number - 1);
}

// Notes are few and small: each is read.
void check_note(VerifyRun& run, const std::string& name) {
  const FindingBook::Hit hit{{}, "what was noted there"};
  const auto note = read_note(run.repository, name);
  if (!note.ok()) run.damage(name, cause_in(name, note.error()), hit);
  const auto before = name_before(name);
  if (before && !run.objects.contains(*before)) run.damage(*before, "it is missing", hit);
  run.report.bytes_read += run.objects.at(name);
  run.finished(name);
}

// What stands in no other part's charge.
void check_others(VerifyRun& run, FrameIndex& index) {
  for (const auto& [name, size] : run.objects) {
    if (name.starts_with("commits/") || name.starts_with("log/") || name.starts_with("tails/") ||
        name == kIdentityName)
      continue;
    if (id_in(name, "index/")) {
      index.read(run, name);
      run.report.bytes_read += size;
      run.finished(name);
    } else if (const auto pack = pack_in(name)) {
      if (!run.needed.contains(*pack))
        run.garbage(name, "no commit that can be read names it: left by a crash, or of a backup under way");
    } else if (name.starts_with("notes/")) {
      check_note(run, name);
    } else if (name == passphrase_key_name(run.repository)) {
      check_passphrase_key(run, name);
    } else {
      run.garbage(name, "nothing of a repository has such a name");
    }
  }
}

std::vector<Repository::StoredCommit> read_commits(VerifyRun& run) {
  auto commits = run.repository.commits([&](const std::string& object, const Error& error) {
    run.damage(object, cause_in(object, error), {{}, "the snapshot that it made a recovery point"});
  });
  if (commits.ok()) return *std::move(commits);
  run.damage("commits/", commits.error().what, {{}, "all snapshots"});
  return {};
}

// What this installation was told is durable and is not there.
void check_heads(VerifyRun& run, const std::vector<Repository::StoredCommit>& commits) {
  if (!run.options.memory) return;
  run.report.had_memory = !run.options.memory->empty();
  for (const auto& [hex, head] : run.options.memory->writers) {
    const auto writer = WriterId::parse(hex);
    if (!writer.ok()) continue;
    const std::string name = commit_name(*writer, head.number);
    const auto found =
        std::ranges::find_if(commits, [&, number = head.number](const Repository::StoredCommit& stored) {
          return stored.commit.writer == *writer && stored.commit.number == number;
        });
    const std::string affects = "the newest snapshots of writer " + hex;
    if (found == commits.end() && !run.objects.contains(name))
      run.lost(name, "it was acknowledged and is gone: somebody went back to an older state", affects);
    else if (found != commits.end() && found->hash != head.hash)
      run.lost(name, "it is another commit than the one that was acknowledged", affects);
  }
}

void check_snapshots(VerifyRun& run, const std::vector<Repository::StoredCommit>& commits,
                     PackChecker& packs) {
  SnapshotChecker snapshots(run, run.options.read_data ? &packs : nullptr);
  for (const Repository::StoredCommit& stored : commits) {
    snapshots.check(stored);
    run.finished(commit_name(stored.commit.writer, stored.commit.number));
  }
  for (const auto& [name, size] : run.objects) {
    const auto pack = pack_in(name);
    if (!pack) continue;
    if (run.options.read_data)
      packs.walk(*pack);
    else
      run.finished(name);
  }
}

}  // namespace

bool VerifyReport::ok() const {
  return std::ranges::none_of(findings, [](const Finding& finding) {
    return finding.severity == Finding::Severity::kDamage || finding.severity == Finding::Severity::kLost;
  });
}

Result<VerifyReport> verify(const Repository& repository, const VerifyOptions& options) {
  VerifyRun run{repository, options};
  // Commits before the listing: a snapshot that is committed meanwhile names packs that the listing has.
  const auto commits = read_commits(run);
  DR_TRY(const auto objects, repository.store().list(""));
  for (const ObjectInfo& object : objects) {
    run.objects.emplace(object.name, object.size);
    run.bytes_total += object.size;
  }
  run.report.objects = objects.size();
  for (const Repository::StoredCommit& stored : commits)
    for (const PackSize& pack : stored.packs) run.needed.insert(pack.pack);

  FrameIndex index;
  PackChecker packs(run, index);
  check_identity(run);
  check_others(run, index);
  check_heads(run, commits);
  check_snapshots(run, commits, packs);
  check_logs(run);
  if (options.progress) options.progress(run.bytes_total, run.bytes_total);
  run.report.findings = run.findings.print();
  return std::move(run.report);
}

}  // namespace daruma
