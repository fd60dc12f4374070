#include "run/steps/step_note.h"

#include <algorithm>

#include "base/size.h"
#include "os/files.h"

namespace daruma::run {
namespace {

Path note_path(const StepContext& context) {
  std::string name = context.step;
  std::ranges::replace(name, '/', '.');  // of a nested plan
  return context.run_directory / (name + ".note.json");
}

}  // namespace

Result<Value> read_note(const StepContext& context) {
  const auto text = read_file(context.fs, note_path(context), 16 * kMiB);
  if (text.is(Errc::kNotFound)) return Value();
  DR_OK(text);
  return parse_json(as_text(*text));
}

Status write_note(const StepContext& context, const Value& note) {
  return replace_file(context.fs, note_path(context), as_bytes(to_json(note)));
}

}  // namespace daruma::run
