#include "datastore/postgres/dump_scan.h"

#include <algorithm>

namespace daruma::postgres {
namespace {

constexpr size_t kHead = 16 * 1024;
constexpr size_t kTail = 16;
constexpr std::string_view kConnect = "\\connect ";
constexpr std::string_view kCopy = "COPY ";
constexpr std::string_view kCopyEnd = "FROM stdin;";
constexpr std::string_view kDataComment = "-- Data for Name: ";
constexpr std::string_view kClusterHead = "-- PostgreSQL database cluster dump";
constexpr std::string_view kClusterComplete = "-- PostgreSQL database cluster dump complete";
constexpr std::string_view kComplete = "-- PostgreSQL database dump complete";

// Reads a word that may stand in `quote`s, doubled inside, from the front of `text`.
std::string take_name(std::string_view& text, char quote, std::string_view ends) {
  std::string name;
  if (!text.starts_with(quote)) {
    const size_t end = std::min(text.find_first_of(ends), text.size());
    name = text.substr(0, end);
    text.remove_prefix(end);
    return name;
  }
  text.remove_prefix(1);
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c == quote && !text.starts_with(quote)) break;
    if (c == quote) text.remove_prefix(1);
    name += c;
  }
  return name;
}

}  // namespace

std::optional<std::string> connected_database(std::string_view line) {
  if (!line.starts_with(kConnect)) return std::nullopt;
  line.remove_prefix(kConnect.size());
  // An odd name is written as a connection string: \connect -reuse-previous=on "dbname='odd \'name'"
  constexpr std::string_view kString = "-reuse-previous=on \"dbname=";
  if (!line.starts_with(kString)) return take_name(line, '"', " ");
  line.remove_prefix(kString.size());
  const bool in_quotes = line.starts_with('\'');
  if (in_quotes) line.remove_prefix(1);
  std::string name;
  while (!line.empty() && line.front() != (in_quotes ? '\'' : '"')) {
    if (line.front() == '\\' || line.starts_with("\"\"")) line.remove_prefix(1);
    if (line.empty()) break;
    name += line.front();
    line.remove_prefix(1);
  }
  return name;
}

void DumpScan::feed(std::string_view piece) {
  facts_.bytes += piece.size();
  while (!piece.empty()) {
    const size_t newline = piece.find('\n');
    const std::string_view part = piece.substr(0, newline);
    if (head_.size() < kHead) head_ += part.substr(0, kHead - head_.size());
    length_ += part.size();
    tail_ += part.substr(part.size() - std::min(part.size(), kTail));
    if (tail_.size() > kTail) tail_.erase(0, tail_.size() - kTail);
    if (newline == std::string_view::npos) return;
    end_line();
    piece.remove_prefix(newline + 1);
  }
}

void DumpScan::end_line() {
  const std::string_view line = head_;
  if (counting_ != nullptr) {
    if (length_ == 2 && line == "\\.")
      counting_ = nullptr;
    else
      ++*counting_;
  } else {
    read_statement(line);
  }
  head_.clear();
  tail_.clear();
  length_ = 0;
}

void DumpScan::read_statement(std::string_view line) {
  if (line.empty() || line == "--" || line.starts_with("\\unrestrict")) return;
  if (first_) facts_.cluster = line == kClusterHead;
  first_ = false;
  facts_.complete = line == (facts_.cluster ? kClusterComplete : kComplete);
  if (line.starts_with("-- ")) {
    data_follows_ = line.starts_with(kDataComment);
    return;
  }
  if (const auto database = connected_database(line)) {
    database_ = *database;
    if (std::ranges::find(facts_.databases, database_) == facts_.databases.end())
      facts_.databases.push_back(database_);
  } else if (data_follows_ && line.starts_with(kCopy) && tail_.ends_with(kCopyEnd)) {
    begin_copy(line.substr(kCopy.size()));
  }
  data_follows_ = false;
}

// `line`: schema.table (columns…
void DumpScan::begin_copy(std::string_view line) {
  std::string name = database_;
  while (!line.empty()) {
    if (!name.empty()) name += '.';
    name += take_name(line, '"', ". ");
    if (!line.starts_with('.')) break;
    line.remove_prefix(1);
  }
  counting_ = &facts_.rows[name];
}

DumpFacts DumpScan::finish() {
  if (length_ > 0) end_line();
  if (counting_ != nullptr) facts_.complete = false;
  return std::move(facts_);
}

}  // namespace daruma::postgres
