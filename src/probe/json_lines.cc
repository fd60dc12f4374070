#include "probe/json_lines.h"

#include <algorithm>
#include <map>

namespace daruma::probe {
namespace {

struct Tail {
  std::string text;      // whole lines
  bool complete = true;  // it begins where the file does
};

Result<Tail> read_tail(FileSystem& fs, const Path& path, uint64_t bytes_most) {
  DR_TRY(const auto file, fs.open_read(path));
  DR_TRY(const uint64_t size, file->size());
  const uint64_t from = size - std::min(size, bytes_most);
  Bytes bytes(size - from);
  DR_TRY(const size_t got, file->read_at(from, bytes));
  Tail tail{.text = std::string(as_text(BytesView(bytes).first(got))), .complete = from == 0};
  tail.text.resize(tail.text.rfind('\n') + 1);  // npos + 1 is 0: no whole line at all
  if (!tail.complete) tail.text.erase(0, std::min(tail.text.find('\n'), tail.text.size() - 1) + 1);
  return tail;
}

// Workers that share a log each write what they gathered, so its lines are in order only about this much.
constexpr Duration kWritersApart = std::chrono::minutes(1);

// Takes lines from the end, newest first. False: a line is so much older than `since` that all before it
// are older.
bool take_lines(std::string_view text, const LinesWish& wish, JsonLines& out) {
  while (!text.empty()) {
    text.remove_suffix(1);  // the line's end
    const size_t begin = text.rfind('\n') + 1;
    const std::string_view line = text.substr(begin);
    text = text.substr(0, begin);
    if (line.empty()) continue;
    auto value = parse_json(line);
    if (!value.ok() || !value->map()) {
      ++out.unreadable;
      continue;
    }
    if (wish.since) {
      const auto time = parse_rfc3339(value->text_at("time"));
      if (time.ok() && *time < *wish.since + -kWritersApart) return false;
      if (time.ok() && *time < *wish.since) continue;
    }
    if (!wish.without.empty() && line.find(wish.without) != std::string_view::npos) continue;
    out.lines.push_back(*std::move(value));
  }
  return true;
}

// What makes messages of one kind the same: numbers and long hexadecimal words are different each time.
std::string kind_of(std::string_view message) {
  std::string out;
  for (const char c : message) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit)
      out += c;
    else if (!out.ends_with('#'))
      out += '#';
  }
  return out;
}

}  // namespace

Result<JsonLines> read_json_lines(FileSystem& fs, const Path& file, const LinesWish& wish) {
  JsonLines out;
  DR_TRY(const Tail newest, read_tail(fs, file, wish.bytes_most));
  bool more = take_lines(newest.text, wish, out);
  out.cut = more && !newest.complete;
  const uint64_t rest = wish.bytes_most - std::min<uint64_t>(wish.bytes_most, newest.text.size());
  if (more && newest.complete && rest > 0) {
    if (const auto older = read_tail(fs, file.native() + ".1", rest); older.ok()) {
      more = take_lines(older->text, wish, out);
      out.cut = more && !older->complete;
    }
  }
  std::reverse(out.lines.begin(), out.lines.end());
  return out;
}

std::vector<LineGroup> grouped(const std::vector<Value>& lines) {
  std::map<std::pair<std::string, std::string>, LineGroup> groups;
  for (const Value& line : lines) {
    const std::string message = line.text_at("message", to_json(line));
    LineGroup& group = groups[{line.text_at("dependency"), kind_of(message)}];
    if (group.count++ == 0) {
      group.dependency = line.text_at("dependency");
      group.message = message;
      group.first = line.text_at("time");
    }
    group.last = line.text_at("time");
  }
  std::vector<LineGroup> out;
  for (auto& [key, group] : groups) out.push_back(std::move(group));
  std::stable_sort(out.begin(), out.end(),
                   [](const LineGroup& a, const LineGroup& b) { return a.count > b.count; });
  return out;
}

}  // namespace daruma::probe
