// service/settings.h: a service's settings: one table, a YAML file, the environment and the command line.
//
// Order: default, then file (--config FILE), then environment (PREFIX_NAME, e.g. LASTMINUTESTAY_PORT for
//        "port"; dots become underscores; an empty variable counts as absent), then --name VALUE.
// File:  "postgres.host" is written as `postgres: {host: …}` or as `postgres.host: …`. Relative paths in it
//        stand on its folder, elsewhere on the working directory.
// Line:  --name VALUE or --name=VALUE; a switch may stand alone; '-' in a name is '_'. What is no option
//        begins rest(); settings behind it are still ours, unknown options behind it are left to it; "--"
//        ends ours.
// Secrets come from the environment or from a file named by NAME_FILE (so also by --name_file PATH and
//        `name_file:`); never from the command line or the configuration file, and never shown.
// Errors: kInvalid, with everything that is wrong, one line each: an unknown key with line and column and the
//        nearest known one, a value that is not of its kind, a required one that is missing.
// Threads: read only after load.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "os/file_system.h"

namespace daruma::service {

enum class SettingKind : uint8_t { kText, kNumber, kDuration, kSwitch, kSecret, kPath };

struct Setting {
  std::string name;  // "postgres.host"
  SettingKind kind = SettingKind::kText;
  std::string fallback;  // its default, as text; "" together with `required` means it must be given
  std::string help;
  bool required = false;
};

class Settings {
 public:
  // `arguments`: what follows the program's name; what is not a setting is left in rest().
  static Result<Settings> load(const std::vector<Setting>& table, const std::string& prefix,
                               const std::vector<std::string>& arguments, FileSystem& fs);

  // Asking for a name that is not in the table, or as another kind, is a bug.
  const std::string& text(std::string_view name) const;
  int64_t number(std::string_view name) const;
  Duration duration(std::string_view name) const;
  bool on(std::string_view name) const;
  Path path(std::string_view name) const;
  const std::string& secret(std::string_view name) const;

  const std::vector<std::string>& rest() const { return rest_; }

 private:
  struct Value {
    SettingKind kind;
    std::string text;
  };
  const std::string& value(std::string_view name, SettingKind kind) const;

  std::map<std::string, Value, std::less<>> values_;
  std::vector<std::string> rest_;
};

// The table for --help.
std::string help_of(const std::vector<Setting>& table, const std::string& prefix);

}  // namespace daruma::service
