#include "config/settings_file.h"

#include <sstream>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>

namespace daruma::settings {
namespace {

// Notes where documents start and aliases stand, and nothing else.
class Marks final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override { document = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { aliases.push_back(mark); }
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
  }
  void OnMapEnd() override {}

  YAML::Mark document;
  std::vector<YAML::Mark> aliases;
};

// nullopt: there is nothing to go on with. yaml-cpp's LoadAll does not end on some texts that are not YAML,
// and Load, which throws there, does not look behind the first document.
std::optional<YAML::Node> only_document(Reader& reader, const std::string& text, Aliases aliases) {
  const YAML::Node first = YAML::Load(text);
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Marks marks;
  parser.HandleNextDocument(marks);
  if (aliases == Aliases::kRefused && !marks.aliases.empty()) {
    for (const YAML::Mark& alias : marks.aliases)
      reader.problem(alias, "an alias; write out what it stands for, so that whoever reads this sees it");
    return std::nullopt;
  }
  if (parser) {
    parser.HandleNextDocument(marks);
    reader.problem(marks.document, "a second document; one file holds one");
  }
  return first;
}

}  // namespace

Status read_settings(const std::string& text, const Path& file, const FileKind& kind,
                     const std::function<void(Reader&, const YAML::Node&)>& read) {
  Reader reader(file.parent_path());
  try {
    if (text.size() > kind.largest)
      reader.problem(YAML::Mark(), fmt::format("{} bytes; at most {} are read", text.size(), kind.largest));
    else if (const auto document = only_document(reader, text, kind.aliases))
      read(reader, *document);
  } catch (const YAML::Exception& exception) {
    reader.problem(exception.mark.is_null() ? YAML::Mark() : exception.mark, "not YAML: " + exception.msg);
  }
  std::string what;
  for (const auto& problem : reader.take_problems())
    what += fmt::format("{}{}:{}:{}: {}", what.empty() ? "" : "\n", file.string(), problem.line,
                        problem.column, problem.what);
  if (what.empty()) return {};
  return Error{Errc::kInvalid, what, kind.hint};
}

}  // namespace daruma::settings
