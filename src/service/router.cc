#include "service/router.h"

#include <algorithm>

namespace daruma::service {
namespace {

// "/a/{b}" -> "a", "{b}". "/" has one segment, which is empty.
std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> segments;
  while (!path.empty()) {
    path.remove_prefix(1);  // '/'
    const size_t end = std::min(path.find('/'), path.size());
    segments.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return segments;
}

bool is_parameter(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

// A parameter's name instead of the parameter: what a Pattern keeps.
std::string_view kept_of(std::string_view segment) {
  return is_parameter(segment) ? segment.substr(1, segment.size() - 2) : segment;
}

bool well_formed(std::string_view pattern) {
  if (!pattern.starts_with('/')) return false;
  return std::ranges::all_of(segments_of(pattern), [](std::string_view segment) {
    return kept_of(segment).find_first_of("{}?#") == std::string_view::npos;
  });
}

}  // namespace

void Router::add(Route route) {
  DR_CHECK(well_formed(route.pattern));
  DR_CHECK(route.handle || route.handle_at_once);
  size_t& index = pattern_of(route.pattern).route[static_cast<size_t>(route.method)];
  DR_CHECK(index == kNone);  // a second route for the same
  index = routes_.size();
  routes_.push_back(std::move(route));
}

Router::Pattern& Router::pattern_of(const std::string& text) {
  Pattern pattern;
  pattern.route.fill(kNone);
  for (const std::string_view segment : segments_of(text)) {
    pattern.segments.emplace_back(kept_of(segment));
    pattern.free.push_back(is_parameter(segment));
  }
  const bool literal = std::ranges::find(pattern.free, true) == pattern.free.end();
  if (literal) return literal_.try_emplace(text, std::move(pattern)).first->second;

  const auto same = [&](const Pattern& known) {
    if (known.free != pattern.free) return false;
    for (size_t i = 0; i < known.free.size(); ++i)
      if (!known.free[i] && known.segments[i] != pattern.segments[i]) return false;
    return true;
  };
  // Parameters of another name have a pattern of their own, next to it: each method keeps its names.
  for (Pattern& known : free_)
    if (same(known) && known.segments == pattern.segments) return known;
  const auto place = std::ranges::upper_bound(free_, pattern.free, {}, &Pattern::free);
  return *free_.insert(place, std::move(pattern));
}

void Router::allow(const Pattern& pattern, std::array<bool, kMethods>& allowed) const {
  for (size_t method = 0; method < kMethods; ++method)
    if (pattern.route[method] != kNone) allowed[method] = true;
  if (allowed[static_cast<size_t>(Method::kGet)]) allowed[static_cast<size_t>(Method::kHead)] = true;
  allowed[static_cast<size_t>(Method::kOptions)] = true;
}

Router::Match Router::match(Method method, std::string_view path) const {
  const auto route_in = [&](const Pattern& pattern) -> const Route* {
    size_t index = pattern.route[static_cast<size_t>(method)];
    if (index == kNone && method == Method::kHead) index = pattern.route[static_cast<size_t>(Method::kGet)];
    return index == kNone ? nullptr : &routes_[index];
  };

  Match match;
  std::array<bool, kMethods> allowed{};
  bool known_path = false;
  if (const auto found = literal_.find(path); found != literal_.end()) {
    if ((match.route = route_in(found->second))) return match;
    known_path = true;
    allow(found->second, allowed);
  }

  const auto segments =
      free_.empty() || !path.starts_with('/') ? std::vector<std::string_view>{} : segments_of(path);
  for (const Pattern& pattern : free_) {
    if (pattern.segments.size() != segments.size()) continue;
    match.path_parameters.clear();
    bool fits = true;
    for (size_t i = 0; fits && i < segments.size(); ++i) {
      if (!pattern.free[i]) {
        fits = segments[i] == pattern.segments[i];
        continue;
      }
      auto value = url_decode(segments[i], false);
      fits = value.ok() && !value->empty();
      if (fits) match.path_parameters.emplace_back(pattern.segments[i], *std::move(value));
    }
    if (!fits) continue;
    if ((match.route = route_in(pattern))) return match;
    known_path = true;
    allow(pattern, allowed);
  }

  match.path_parameters.clear();
  for (size_t i = 0; known_path && i < kMethods; ++i)
    if (allowed[i])
      match.allow.append(match.allow.empty() ? "" : ", ").append(name_of(static_cast<Method>(i)));
  return match;
}

}  // namespace daruma::service
