// Loading what a repository knows of one PostgreSQL datastore.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "datastore/postgres/points.h"

namespace daruma::postgres {
namespace {

// What does not verify may have been the one that is asked for.
Error no_snapshot(const std::string& datastore, const std::set<std::string>& others,
                  const std::vector<std::string>& damage) {
  std::string held;
  for (const std::string& other : others) held += (held.empty() ? "" : ", ") + other;
  Error error{Errc::kNotFound,
              fmt::format("the repository has no snapshot of '{}'{}", datastore,
                          held.empty() ? "" : fmt::format("; it has some of: {}", held)),
              fmt::format("take one: daruma backup {}", datastore)};
  for (const std::string& damaged : damage) error.what += "\n" + damaged;
  if (!damage.empty()) error.hint = "see what is damaged: daruma verify";
  return error;
}

Result<std::vector<Snapshot>> load_snapshots(const Repository& repository, const std::string& datastore,
                                             std::vector<std::string>& left_out) {
  const auto damage = [&](const std::string& object, const Error& error) {
    left_out.push_back(fmt::format("{} does not verify and is left out: {}", object, error.what));
  };
  DR_TRY(auto commits, repository.commits(damage));
  std::vector<Snapshot> snapshots;
  std::set<std::string> others;
  for (Repository::StoredCommit& stored : commits) {
    others.insert(stored.commit.datastore);
    if (stored.commit.datastore != datastore) continue;
    auto meta = parse_meta(stored.commit.meta);
    if (!meta.ok()) {
      damage(commit_name(stored.commit.writer, stored.commit.number), meta.error());
      continue;
    }
    snapshots.push_back({std::move(stored), *std::move(meta)});
  }
  if (snapshots.empty()) return no_snapshot(datastore, others, left_out);
  return snapshots;
}

}  // namespace

Result<Catalog> load_catalog(const Repository& repository, const std::string& datastore,
                             std::optional<uint64_t> incarnation) {
  Catalog catalog;
  catalog.datastore = datastore;
  const auto damage = [&](const std::string& object, const Error& error) {
    catalog.damage.push_back(fmt::format("{} does not verify and is left out: {}", object, error.what));
  };
  DR_TRY(catalog.snapshots, load_snapshots(repository, datastore, catalog.damage));
  const uint64_t chosen = incarnation.value_or(catalog.snapshots.back().meta.system_identifier);
  std::erase_if(catalog.snapshots,
                [&](const Snapshot& snapshot) { return snapshot.meta.system_identifier != chosen; });
  if (catalog.snapshots.empty())
    return Error{
        Errc::kNotFound,
        fmt::format("the repository has no snapshot of '{}' with system identifier {}", datastore, chosen)};

  catalog.segment_size = catalog.snapshots.back().meta.segment_size;
  catalog.stream = {datastore, chosen};
  DR_TRY(catalog.log, LogReader::open(repository, catalog.stream, damage));
  for (const auto& [timeline, text] : catalog.log->histories()) {
    auto history = parse_history(text);
    if (!history.ok()) return std::move(history).error().in(history_name(timeline));
    catalog.histories.emplace(timeline, *std::move(history));
  }
  return catalog;
}

}  // namespace daruma::postgres
