#include "repository/log_takeover.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "repository/log_tail.h"

namespace daruma {
namespace {

// All tails of one piece; each generation is a copy of the one before, as far as it got.
struct Candidate {
  FinishedPiece piece;
  uint32_t newest_generation = 0;
};
using Candidates = std::map<std::pair<Branch, uint64_t>, Candidate>;

Error split_brain(const std::string& name, const TailName& tail) {
  return {Errc::kRefused,
          fmt::format("split brain: {} and another tail of its receiver hold other bytes for branch {}, from "
                      "position {} on",
                      name, tail.branch, tail.position),
          "find out which one is right; neither was touched"};
}

Status add(Candidates& candidates, const std::string& name, const TailName& tail, Bytes bytes) {
  Candidate& candidate = candidates[{tail.branch, tail.position}];
  FinishedPiece& piece = candidate.piece;
  piece.branch = tail.branch;
  piece.position = tail.position;
  const size_t both = std::min(piece.bytes.size(), bytes.size());
  if (!std::equal(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(both), piece.bytes.begin()))
    return split_brain(name, tail);
  if (bytes.size() > piece.bytes.size()) piece.bytes = std::move(bytes);
  piece.tails.push_back(name);
  candidate.newest_generation = std::max(candidate.newest_generation, tail.generation);
  return {};
}

Status check_size(const std::string& name, const TailName& tail, const Bytes& bytes, uint64_t piece_bytes) {
  if (tail.position % piece_bytes == 0 && bytes.size() <= piece_bytes) return {};
  return Error{Errc::kInvalid,
               fmt::format("{} holds {} bytes from position {} on, which is not one piece of {} bytes", name,
                           bytes.size(), tail.position, piece_bytes),
               "it was written with another piece size: open the log with that one first"};
}

Result<Candidates> read_candidates(const Repository& repository, const LogStream& stream,
                                   const std::string& receiver, uint64_t piece_bytes) {
  Candidates candidates;
  DR_TRY(const auto tails, repository.store().list(tails_prefix(stream) + receiver + "/"));
  for (const ObjectInfo& info : tails) {
    const auto tail = parse_tail_name(stream, info.name);
    if (!tail)
      return Error{Errc::kCorrupt, fmt::format("{}: this is not the name of a tail", info.name),
                   "look at what it is and move it out of the repository"};
    DR_TRY(TailContent content, read_tail(repository, info.name, *tail));
    if (content.error) {
      if (content.error->code == Errc::kCorrupt)
        content.error->hint =
            "nothing was changed; what the tail still holds can be restored: see `verify`, "
            "then set it aside and start again";
      return *std::move(content.error);
    }
    DR_OK(check_size(info.name, *tail, content.bytes, piece_bytes));
    DR_OK(add(candidates, info.name, *tail, std::move(content.bytes)));
  }
  return candidates;
}

}  // namespace

Result<Takeover> plan_takeover(const Repository& repository, const LogStream& stream,
                               const std::string& receiver, uint64_t piece_bytes) {
  DR_TRY(Candidates candidates, read_candidates(repository, stream, receiver, piece_bytes));
  Takeover plan;
  const Candidate* newest = nullptr;
  for (const auto& [place, candidate] : candidates) {
    plan.next_generation = std::max(plan.next_generation, candidate.newest_generation + 1);
    if (candidate.piece.bytes.empty()) continue;
    if (!newest || candidate.newest_generation > newest->newest_generation) newest = &candidate;
  }
  for (auto& [place, candidate] : candidates) {
    FinishedPiece& piece = candidate.piece;
    if (piece.bytes.empty())
      plan.empty.insert(plan.empty.end(), piece.tails.begin(), piece.tails.end());
    else if (&candidate == newest && piece.bytes.size() < piece_bytes)
      plan.open = std::move(piece);
    else
      plan.finished.push_back(std::move(piece));
  }
  return plan;
}

}  // namespace daruma
