#include <fmt/format.h>

#include "report/document.h"

namespace daruma::report {
namespace {

constexpr std::string_view kStyle = R"(
:root { --ink: #1d2329; --soft: #5a646e; --line: #d5dadf; --wash: #f5f6f7; }
body { margin: 0 auto; max-width: 60rem; padding: 2.5rem 1.5rem; color: var(--ink); background: #fff;
  font: 16px/1.6 system-ui, "Hiragino Sans", "Noto Sans CJK JP", "Noto Sans JP", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 1.25rem; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .6rem; padding-bottom: .25rem;
  border-bottom: 1px solid var(--line); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.25rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
dl.head dt { font-weight: 600; color: var(--ink); }
p.lead { margin: 1.25rem 0 0; padding: .75rem 1rem; background: var(--wash);
  border-left: 4px solid var(--ink); }
p { margin: 0; }
ul, ol { margin: 0; padding-left: 1.4rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0;
  border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
td:first-child { white-space: nowrap; }
code { font: .92em ui-monospace, "Noto Sans Mono", monospace; overflow-wrap: anywhere; }
@media print { body { padding: 0; max-width: none; font-size: 11pt; } h2 { break-after: avoid; }
  tr { break-inside: avoid; } }
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? ' ' : c;
    }
  }
  return out;
}

std::string show(const Line& line) {
  std::string out;
  for (const Run& run : line)
    out += run.code && !run.text.empty() ? "<code>" + escaped(run.text) + "</code>" : escaped(run.text);
  return out;
}

std::string fields(const std::vector<Field>& all, std::string_view kind) {
  std::string out = fmt::format("<dl{}>\n", kind);
  for (const Field& field : all)
    out += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escaped(field.label), show(field.value));
  return out + "</dl>\n";
}

std::string list(const std::vector<Line>& lines, std::string_view tag) {
  std::string out = fmt::format("<{}>\n", tag);
  for (const Line& line : lines) out += "<li>" + show(line) + "</li>\n";
  return out + fmt::format("</{}>\n", tag);
}

std::string table(const Block& block) {
  std::string out = "<div class=\"wide\"><table>\n<thead><tr>";
  for (const std::string& column : block.columns) out += "<th scope=\"col\">" + escaped(column) + "</th>";
  out += "</tr></thead>\n<tbody>\n";
  for (const auto& cells : block.rows) {
    out += "<tr>";
    for (const Line& cell : cells) out += "<td>" + show(cell) + "</td>";
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string show(const Block& block, std::string_view paragraph) {
  std::string out;
  switch (block.kind) {
    case Block::Kind::kParagraph:
      for (const Line& line : block.lines) out += fmt::format("<p{}>{}</p>\n", paragraph, show(line));
      return out;
    case Block::Kind::kFields:
      return fields(block.fields, "");
    case Block::Kind::kBullets:
      return list(block.lines, "ul");
    case Block::Kind::kNumbers:
      return list(block.lines, "ol");
    case Block::Kind::kTable:
      return table(block);
  }
  return out;
}

}  // namespace

std::string write_html(const Document& document) {
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n"
      "<style>{}</style>\n</head>\n<body>\n<h1>{}</h1>\n",
      document.language, escaped(document.title), kStyle, escaped(document.title));
  out += fields(document.fields, " class=\"head\"");
  for (const Block& block : document.lead) out += show(block, " class=\"lead\"");
  for (const Section& section : document.sections) {
    out += "<h2>" + escaped(section.heading) + "</h2>\n";
    for (const Block& block : section.blocks) out += show(block, "");
  }
  return out + "</body>\n</html>\n";
}

}  // namespace daruma::report
