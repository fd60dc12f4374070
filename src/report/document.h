// report/document.h: a document as fields, sections, lists and tables, written as Markdown or HTML.
//
// Every text is foreign: it is escaped for where it stands, and can make no markup of its own.
// Threads: plain values and pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace daruma::report {

struct Run {
  std::string text;
  bool code = false;  // an id, a hash, a name from a file
};
using Line = std::vector<Run>;

struct Field {
  std::string label;
  Line value;
};

struct Block {
  enum class Kind : uint8_t { kParagraph, kFields, kBullets, kNumbers, kTable };
  Kind kind = Kind::kParagraph;
  std::vector<Line> lines = {};           // kParagraph, kBullets, kNumbers
  std::vector<Field> fields = {};         // kFields
  std::vector<std::string> columns = {};  // kTable
  std::vector<std::vector<Line>> rows = {};
};

struct Section {
  std::string heading;
  std::vector<Block> blocks;
};

struct Document {
  std::string language;  // "ja", "en"
  std::string title;
  std::vector<Field> fields;
  std::vector<Block> lead;  // below the fields
  std::vector<Section> sections;
};

std::string write_markdown(const Document& document);
std::string write_html(const Document& document);

}  // namespace daruma::report
