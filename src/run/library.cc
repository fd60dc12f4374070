#include "run/library.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/closest.h"
#include "os/files.h"

namespace daruma::run {
namespace {

constexpr uint64_t kLargestPlan = 1 << 20;

Status add(FileSystem& fs, Library& library, const Path& file) {
  auto plan = load_plan(fs, file);
  if (plan.is(Errc::kInvalid)) {
    library.bad.push_back({file, plan.error().what, ""});
    return {};
  }
  DR_OK(plan);
  library.plans.push_back(*std::move(plan));
  return {};
}

// Of plans with one name, nobody can say which is meant: none of them is. The others stay.
void refuse_doubles(Library& library) {
  for (auto first = library.plans.begin(); first != library.plans.end();) {
    const auto end =
        std::find_if(first, library.plans.end(), [&](const Plan& plan) { return plan.name != first->name; });
    if (end - first < 2) {
      first = end;
      continue;
    }
    std::string files;
    for (auto plan = first; plan != end; ++plan) files += (files.empty() ? "" : ", ") + plan->file.string();
    library.bad.push_back({first->file,
                           fmt::format("{} plans are named '{}': {}; give all but one another name",
                                       end - first, first->name, files),
                           first->name});
    first = library.plans.erase(first, end);
  }
}

}  // namespace

Result<Plan> load_plan(FileSystem& fs, const Path& file) {
  if (const auto info = fs.info(file);
      info.ok() && info->type == FileType::kOther)  // a FIFO would be waited for
    return Error{Errc::kInvalid, fmt::format("plan {}: it is not a file", file.string()),
                 "name a plan's file"};
  const auto bytes = read_file(fs, file, kLargestPlan);
  if (bytes.is(Errc::kNotFound))
    return Error{Errc::kNotFound, fmt::format("plan {}: no such file", file.string()),
                 "`daruma plan list` shows those of daruma.yaml"};
  DR_OK(bytes);
  return parse_plan(std::string(as_text(*bytes)), file);
}

Result<Library> load_library(FileSystem& fs, const Path& base, const std::vector<std::string>& patterns) {
  Library library;
  for (const std::string& pattern : patterns) {
    const Path path = (base / pattern).lexically_normal();
    if (path.filename() != "*.yaml") {
      DR_OK(add(fs, library, path));
      continue;
    }
    const auto entries = fs.list_dir(path.parent_path());
    if (!entries.ok()) return Error(entries.error()).in("plans");
    for (const DirectoryEntry& entry : *entries)
      if (entry.type == FileType::kFile && entry.name.ends_with(".yaml") && !entry.name.starts_with('.'))
        DR_OK(add(fs, library, path.parent_path() / entry.name));
  }
  std::ranges::sort(library.plans, {}, &Plan::name);
  refuse_doubles(library);
  return library;
}

Result<Plan> Library::find(std::string_view name) const {
  const auto found = std::ranges::find(plans, name, &Plan::name);
  if (found != plans.end()) return *found;
  for (const BadPlan& plan : bad)
    if (plan.name.empty() ? plan.file.stem() == name : plan.name == name)
      return Error{Errc::kInvalid, plan.what, "mend the file; `daruma plan check` tells more"};
  std::vector<std::string> names;
  for (const Plan& plan : plans) names.push_back(plan.name);
  const auto near = closest(std::string(name), names);
  return Error{
      Errc::kNotFound,
      fmt::format("there is no plan '{}'{}", name, near ? fmt::format("; did you mean '{}'?", *near) : ""),
      !bad.empty()    ? fmt::format("{} is of no use; daruma plan check says why", bad.front().file.string())
      : names.empty() ? "name the files of plans under `plans:` in daruma.yaml"
                      : fmt::format("plans: {}", fmt::join(names, ", "))};
}

FindPlan Library::finder() const {
  return [this](std::string_view name) { return find(name); };
}

}  // namespace daruma::run
