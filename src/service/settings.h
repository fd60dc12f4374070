// service/settings.h: a service's settings: one table, a YAML file, the environment and the command line.
//
// Order: default, then file (--config FILE), then environment (PREFIX_NAME, e.g. LASTMINUTESTAY_PORT for
//        "port"; dots become underscores), then --name VALUE. An unknown key in the file or on the command
//        line is an error that names it, with line and column, and the nearest known one. Secrets come from
//        the environment or from a file named by NAME_FILE; never from the command line, and never shown.
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
  std::map<std::string, Value, std::less<>> values_;
  std::vector<std::string> rest_;
};

// The table for --help.
std::string help_of(const std::vector<Setting>& table, const std::string& prefix);

}  // namespace daruma::service
