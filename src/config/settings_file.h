// config/settings_file.h: reads a file of settings, one YAML document, and tells all its mistakes at once.
//
// Errors:  kInvalid: a line for each mistake, "FILE:LINE:COLUMN: WHAT".
// Threads: plain functions.
#pragma once

#include "config/settings.h"

namespace daruma::settings {

enum class Aliases : uint8_t {
  kAllowed,
  kRefused,  // one hides from the reader what it stands for
};

struct FileKind {
  uint64_t largest = 0;  // bytes
  Aliases aliases = Aliases::kAllowed;
  std::string hint;  // where the settings are explained
};

Status read_settings(const std::string& text, const Path& file, const FileKind& kind,
                     const std::function<void(Reader&, const YAML::Node&)>& read);

}  // namespace daruma::settings
