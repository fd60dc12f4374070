#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/demo/story.h"
#include "os/environment.h"
#include "os/files.h"

namespace daruma {
namespace {

// A socket's whole path must fit into 107 bytes.
constexpr size_t kScratchNameMax = 90;

// The same text without colours, for machines and recordings.
class PlainOutput final : public Output {
 public:
  explicit PlainOutput(Output& below) : Output(Kind{}), below_(below) {}
  void write(std::string_view text) override { below_.write(text); }
  bool flush() override { return below_.flush(); }

 private:
  Output& below_;
};

Result<Path> make_scratch(App& app, const Invocation& invocation) {
  Path scratch;
  if (const auto chosen = invocation.path("--directory")) {
    scratch = chosen->is_absolute() ? *chosen : app.working_directory / *chosen;
    DR_TRY(const bool taken, exists(app.fs, scratch));
    if (taken)
      return Error{Errc::kRefused, fmt::format("{} exists already", scratch.string()),
                   "name a directory that does not"};
  } else {
    scratch = Path(environment_variable("TMPDIR").value_or("/tmp")) /
              ("daruma-" + app.random.id<Id<struct ScratchTag, 4>>().hex());
  }
  if (scratch.string().size() > kScratchNameMax)
    return Error{Errc::kInvalid,
                 fmt::format("{} is too long a name: PostgreSQL's socket lies there", scratch.string()),
                 "choose a shorter one with --directory"};
  DR_OK(create_dirs(app.fs, scratch, 0700));
  return scratch;
}

// With --json the story goes to standard error, and standard output is the summary alone.
Status tell(App& app, const Path& scratch, bool headless, bool& good) {
  Output& chosen = app.json ? app.err : app.out;
  PlainOutput plain(chosen);
  Story story(app, headless ? plain : chosen, scratch);
  DR_OK(story.tell());
  good = story.failed_checks().empty();
  if (app.json)
    app.out.write(story.json());
  else
    story.print_table();
  return {};
}

}  // namespace

int run_demo(App& app, const Invocation& invocation) {
  if (is_root())
    return report_error(app, {Errc::kRefused, "PostgreSQL does not run as root",
                              "run script/demo, which hands over to another user, or run this as one"});
  const auto scratch = make_scratch(app, invocation);
  if (!scratch.ok()) return report_error(app, scratch.error());
  bool good = false;
  const Status told = tell(app, *scratch, invocation.has("--headless"), good);
  if (invocation.has("--keep")) {
    app.err.write(fmt::format("kept: {}\n", scratch->string()));
  } else if (const Status removed = remove_tree(app.fs, *scratch); !removed.ok()) {
    return report_error(app, removed.error());
  }
  if (!told.ok()) return report_error(app, told.error());
  return good ? kDone : kFailed;
}

}  // namespace daruma
