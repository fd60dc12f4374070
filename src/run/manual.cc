#include "run/manual.h"

#include <algorithm>

namespace daruma::run {
namespace {

std::string trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t\r") - first + 1));
}

std::string without_stars(std::string text) {
  for (size_t at; (at = text.find("**")) != std::string::npos;) text.erase(at, 2);
  return trimmed(text);
}

// What follows a list's mark: "- text", "* text", "12. text", "- [ ] text"; "" where there is none.
std::string item_text(const std::string& line) {
  size_t at = 0;
  if (line.starts_with("- ") || line.starts_with("* ")) {
    at = 2;
  } else {
    while (at < line.size() && line[at] >= '0' && line[at] <= '9') ++at;
    if (at == 0 || line.compare(at, 2, ". ") != 0) return "";
    at += 2;
  }
  std::string text = trimmed(line.substr(at));
  for (const std::string_view box : {"[ ] ", "[x] "})
    if (text.starts_with(box)) text = trimmed(text.substr(box.size()));
  return without_stars(text);
}

// "label" and "value" of "**label**: value" or "label: value"; both colons. {} where there is no colon.
std::pair<std::string, std::string> field_of(const std::string& line) {
  const std::string text = without_stars(line);
  for (const std::string_view colon : {":", "："}) {
    const size_t at = text.find(colon);
    if (at != std::string::npos)
      return {trimmed(text.substr(0, at)), trimmed(text.substr(at + colon.size()))};
  }
  return {};
}

bool is_date(const std::string& text) { return parse_rfc3339(text + "T00:00:00Z").ok(); }

constexpr size_t kCodeIndent = 4;

class ManualReader {
 public:
  Manual read(const std::string& text) {
    manual_.sections.emplace_back();
    int number = 0;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      read_line(++number, text.substr(at, end - at));
      at = end + 1;
    }
    return std::move(manual_);
  }

 private:
  ManualSection& section() { return manual_.sections.back(); }

  void read_line(int number, const std::string& raw) {
    const size_t indent = std::min(raw.find_first_not_of(' '), raw.size());
    const std::string line = trimmed(raw);
    if (opens_or_closes(line)) return fence(line, indent);
    if (open_ != 0) {
      CodeBlock& block = section().blocks.back();
      if (block.lines.empty() && block.language.empty()) manual_.unread.push_back({number, line});
      block.lines.push_back({number, raw.substr(std::min(indent_, indent))});
      return;
    }
    note_indented(number, line, indent);
    manual_.prose.push_back({number, line});
    note_links(number, line);
    if (line.starts_with("#")) return heading(number, line);
    if (const std::string item = item_text(line); !item.empty()) {
      before_ = item;
      if (listing_) section().lists.back().items.push_back({number, item});
      return;
    }
    if (line.empty()) return;
    before_ = without_stars(line);
    const auto [label, value] = field_of(line);
    listing_ = !label.empty() && value.empty();
    if (listing_) section().lists.push_back({number, label, {}});
    if (!value.empty()) note_head(number, label, value);
  }

  // A block ends with what it began with.
  bool opens_or_closes(const std::string& line) const {
    const bool fence = line.starts_with("```") || line.starts_with("~~~");
    return fence && (open_ == 0 || open_ == line[0]);
  }

  // Four spaces after an empty line make code of it, but for what belongs to an item of a list.
  void note_indented(int number, const std::string& line, size_t indent) {
    const bool code = !line.empty() && indent >= kCodeIndent && !in_list_ && (blank_ || in_code_);
    if (code && !in_code_) manual_.unread.push_back({number, line});
    if (!line.empty() && indent < kCodeIndent) in_list_ = !item_text(line).empty();
    if (!line.empty()) in_code_ = code;
    blank_ = line.empty();
  }

  void fence(const std::string& line, size_t indent) {
    open_ = open_ == 0 ? line[0] : '\0';
    if (open_ == 0) return;
    indent_ = indent;
    section().blocks.push_back({trimmed(line.substr(3)), {}, before_});
  }

  void heading(int number, const std::string& line) {
    const size_t depth = std::min(line.find_first_not_of('#'), line.size());
    path_.resize(std::min(path_.size(), depth - 1));
    ManualSection next{
        .line = number, .heading = without_stars(line.substr(depth)), .above = {}, .lists = {}, .blocks = {}};
    for (const std::string& above : path_)
      if (!above.empty()) next.above.push_back(above);
    path_.resize(depth - 1);
    path_.push_back(next.heading);
    manual_.sections.push_back(std::move(next));
    listing_ = false;
    before_.clear();
  }

  void note_head(int number, const std::string& label, const std::string& value) {
    const auto is = [&](std::string_view ja, std::string_view en) { return label == ja || label == en; };
    Head& head = manual_.head;
    if (is("バージョン", "Version")) head.version = value;
    if (is("最終更新", "Last updated") && is_date(value)) head.updated = value;
    if (is("次回レビュー予定", "Next review") && is_date(value)) {
      head.review_due = value;
      manual_.review_line = number;
    }
    if (is("ステータス", "Status"))
      head.status = value.find("確定") != std::string::npos || value.find("inal") != std::string::npos
                        ? "final"
                        : "draft";
  }

  void note_links(int number, const std::string& line) {
    for (size_t at = 0; (at = line.find("](", at)) != std::string::npos; at += 2) {
      const size_t end = line.find(')', at);
      if (end == std::string::npos) return;
      manual_.links.push_back({number, line.substr(at + 2, end - at - 2)});
    }
  }

  Manual manual_;
  std::vector<std::string> path_;  // headings by depth
  std::string before_;
  char open_ = '\0';      // inside a block of code: what its fence is made of
  bool listing_ = false;  // below a label
  bool in_list_ = false, in_code_ = false, blank_ = true;  // what the last line was
  size_t indent_ = 0;
};

}  // namespace

Manual read_manual(const std::string& text) { return ManualReader().read(text); }

}  // namespace daruma::run
