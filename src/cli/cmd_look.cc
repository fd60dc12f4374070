#include "base/shell_word.h"
#include "cli/commands.h"
#include "cli/look_view.h"
#include "cli/run_view.h"
#include "os/environment.h"
#include "watch/gather.h"

namespace daruma {
namespace {

// Commands of ours must find the configuration that was looked at.
void name_configuration(std::vector<std::string>& commands, const Path& file) {
  for (std::string& command : commands)
    if (command.starts_with("daruma ")) command += " -c " + shell_word(file.string());
}

}  // namespace

int run_look(App& app, const Invocation& invocation) {
  const watch::World world{.fs = app.fs,
                           .clock = app.clock,
                           .random = app.random,
                           .processes = app.processes,
                           .daruma_program = this_program(),
                           .working_directory = app.working_directory};
  const watch::Gathered gathered = watch::gather(world, *app.config);
  watch::Findings findings = watch::judge(gathered.facts);
  if (invocation.has("-c")) {
    name_configuration(findings.next.commands, app.config->file);
    name_configuration(findings.next.otherwise, app.config->file);
  }
  app.out.write(app.json ? to_json(look_value(gathered.facts, findings)) + "\n"
                         : look_text(app.out, gathered.facts, findings, japanese_terminal()));
  const int code = findings.all_well ? kDone : kFailed;
  if (gathered.left_behind) end_at_once(app.out.flush() ? code : kFailed);
  return code;
}

}  // namespace daruma
