// base/table.h: columns of text that stand below each other, also where a name is Japanese.
//
// Threads: plain values and functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace daruma {

// Columns that a terminal needs for UTF-8 `text`: two for wide characters, none for combining ones. Bytes
// that are not UTF-8 count one each.
size_t display_width(std::string_view text);

// `text` cut to at most `columns`, the last one "…" if anything was cut.
std::string fit_to_width(std::string_view text, size_t columns);

// `text` with control characters, escape sequences among them, made visible as '?': names come from
// elsewhere.
std::string printable(std::string_view text);

class Table {
 public:
  enum class Align : unsigned char { kLeft, kRight };
  struct Column {
    std::string head;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // As many cells as there are columns.
  void row(std::vector<std::string> cells);
  // Head and rows, two spaces between columns; nothing at all when there are no rows.
  std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace daruma
