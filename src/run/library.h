// run/library.h: the plans there are: those of daruma.yaml's `plans`, or one file.
//
// Threads: plain values and functions.
#pragma once

#include <string>
#include <vector>

#include "run/plan.h"

namespace daruma::run {

// A file that is not a plan, with every mistake in it; or several that have one name.
struct BadPlan {
  Path file;
  std::string what;
  std::string name;  // that several have; else empty
};

struct Library {
  std::vector<Plan> plans;  // sorted by name
  std::vector<BadPlan> bad;

  // kNotFound names those there are. kInvalid: the file of this name is not a plan, or several have it.
  Result<Plan> find(std::string_view name) const;
  // Refers to this library, which must outlive what is returned.
  FindPlan finder() const;
};

// `patterns` are paths of files, or FOLDER/*.yaml; relative ones stand on `base`. kNotFound: a file or
// folder is not there.
Result<Library> load_library(FileSystem& fs, const Path& base, const std::vector<std::string>& patterns);
// One file alone.
Result<Plan> load_plan(FileSystem& fs, const Path& file);

}  // namespace daruma::run
