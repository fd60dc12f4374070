#include "repository/verify_run.h"

#include <fmt/format.h>

#include <algorithm>

namespace daruma {
namespace {

constexpr size_t kPlacesShown = 8;

}  // namespace

void FindingBook::add(Finding::Severity severity, const std::string& object, const std::string& cause,
                      const Hit& hit) {
  const auto [found, is_new] = entries_.try_emplace({object, cause});
  Entry& entry = found->second;
  entry.severity = is_new ? severity : std::min(entry.severity, severity);
  if (!hit.affects.empty()) entry.affects.insert(hit.affects);
  if (hit.place.empty() || entry.known_places.contains(hit.place)) return;
  if (entry.places.size() == kPlacesShown) {
    ++entry.further_places;
    return;
  }
  entry.known_places.insert(hit.place);
  entry.places.push_back(hit.place);
}

std::vector<Finding> FindingBook::print() const {
  std::vector<Finding> findings;
  for (const auto& [key, entry] : entries_) {
    Finding finding{entry.severity, key.first, key.second, {}};
    for (size_t i = 0; i < entry.places.size(); ++i) finding.what += (i == 0 ? ": " : ", ") + entry.places[i];
    if (entry.further_places > 0) finding.what += fmt::format(" and {} more", entry.further_places);
    for (const std::string& affects : entry.affects)
      finding.affects += (finding.affects.empty() ? "" : ", ") + affects;
    findings.push_back(std::move(finding));
  }
  return findings;
}

void VerifyRun::finished(const std::string& name) {
  const auto object = objects.find(name);
  if (object == objects.end()) return;
  bytes_done += object->second;
  if (options.progress) options.progress(bytes_done, bytes_total);
}

std::string cause_in(const std::string& object, const Error& error) {
  const std::string prefix = object + ": ";
  return error.what.starts_with(prefix) ? error.what.substr(prefix.size()) : error.what;
}

}  // namespace daruma
