#include "run/shell_script.h"

#include <algorithm>
#include <optional>

namespace daruma::run {
namespace {

struct Token {
  std::string text;
  bool operator_ = false;
  bool quoted = false;
};

bool is_keyword(std::string_view word) {
  for (const std::string_view known :
       {"for", "do", "done", "if", "then", "else", "elif", "fi", "while", "until"})
    if (word == known) return true;
  return false;
}

// Takes one line apart. `cut_url`: an & stood in a URL without quotes; it stays in the word.
class Tokens {
 public:
  explicit Tokens(std::string_view text) : text_(text) {}

  std::vector<Token> read() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\t') {
        end_word();
        ++at_;
      } else if (c == '#' && !in_word_) {
        break;
      } else if (c == '\'' || c == '"') {
        quoted(c);
      } else if (c == '\\' && at_ + 1 < text_.size()) {
        add(text_[at_ + 1]);
        at_ += 2;
      } else if (text_.substr(at_).starts_with("$(")) {
        substitution();
      } else if (!operator_here()) {
        add(c);
        ++at_;
      }
    }
    end_word();
    return std::move(tokens_);
  }
  bool cut_url() const { return cut_url_; }

 private:
  void add(char c) {
    word_ += c;
    in_word_ = true;
  }
  void end_word() {
    if (in_word_) tokens_.push_back({word_, false, quoted_});
    word_.clear();
    in_word_ = quoted_ = false;
  }
  void quoted(char quote) {
    quoted_ = in_word_ = true;
    for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size() &&
          std::string_view("\"\\$`").find(text_[at_ + 1]) != std::string_view::npos)
        ++at_;
      word_ += text_[at_];
    }
    ++at_;
  }
  // $( … ) stays in the word as it is written.
  void substitution() {
    int depth = 0;
    for (; at_ < text_.size(); ++at_) {
      add(text_[at_]);
      if (text_[at_] == '(') ++depth;
      if (text_[at_] == ')' && --depth == 0) break;
    }
    ++at_;
  }
  bool operator_here() {
    const std::string_view rest = text_.substr(at_);
    const bool url = word_.starts_with("http://") || word_.starts_with("https://");
    if (rest[0] == '&' && url && rest.size() > 1 && rest[1] != '&' && rest[1] != ' ') {
      cut_url_ = true;
      return false;
    }
    for (const std::string_view known :
         {"2>&1", "&>", "2>", ">>", "<<", "&&", "||", "|", "&", ";", ">", "<"}) {
      if (!rest.starts_with(known)) continue;
      if (known[0] == '2' && in_word_) continue;
      end_word();
      tokens_.push_back({std::string(known), true, false});
      at_ += known.size();
      return true;
    }
    return false;
  }

  std::string_view text_;
  size_t at_ = 0;
  std::string word_;
  bool in_word_ = false, quoted_ = false, cut_url_ = false;
  std::vector<Token> tokens_;
};

// Whether a quotation mark or a backslash asks for the next line too.
bool goes_on(const std::string& text) {
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == 0 && c == '#' && (i == 0 || text[i - 1] == ' ')) return false;
    if (c == '\\' && quote != '\'') {
      if (i + 1 == text.size()) return true;
      ++i;
    } else if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    }
  }
  return quote != 0;
}

std::string stripped(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t\r") - first + 1));
}

class ScriptReader {
 public:
  explicit ScriptReader(const std::vector<ManualLine>& lines) : lines_(lines) {}

  ShellScript read() {
    for (size_t at = 0; at < lines_.size(); ++at) {
      const int number = lines_[at].line;
      std::string text = lines_[at].text;
      while (goes_on(text) && at + 1 < lines_.size()) {
        if (text.ends_with('\\')) text.pop_back();
        text += " " + stripped(lines_[++at].text);
      }
      text = stripped(text);
      if (text.starts_with('#'))
        comment(number, text);
      else if (!text.empty())
        at = statement(number, text, at);
    }
    return std::move(script_);
  }

 private:
  void comment(int number, const std::string& text) {
    std::string words = stripped(text.substr(std::min(text.find_first_not_of('#'), text.size())));
    if (text.starts_with("#!")) return;
    script_.comments.push_back({number, words});
    comment_ = {number, std::move(words)};
  }

  // Returns the last line that belongs to it.
  size_t statement(int number, const std::string& text, size_t at) {
    if (text.starts_with("set -") && text.substr(5, 6).find('e') != std::string::npos)
      script_.stops_at_errors = true;
    for (const std::string_view name : {"$1", "${1", "$@", "$*", "$#"})
      if (text.find(name) != std::string::npos) script_.reads_arguments = true;
    Tokens reader(text);
    const std::vector<Token> tokens = reader.read();
    current_ = {};
    current_.line = number;
    current_.text = text;
    current_.cut_url = reader.cut_url();
    current_.pipe.emplace_back();
    std::string until;  // the word that ends a text given by <<
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (tokens[i].operator_)
        i = take_operator(tokens, i, until);
      else if (current_.pipe.back().words.empty() && is_keyword(tokens[i].text) && !tokens[i].quoted)
        i = keyword(tokens, i);
      else
        current_.pipe.back().words.push_back({tokens[i].text, tokens[i].quoted});
    }
    emit();
    if (!until.empty())
      while (at + 1 < lines_.size() && stripped(lines_[++at].text) != until) continue;
    return at;
  }

  size_t take_operator(const std::vector<Token>& tokens, size_t i, std::string& until) {
    const std::string& sign = tokens[i].text;
    const bool more = i + 1 < tokens.size() && !tokens[i + 1].operator_;
    if (sign == "|") {
      current_.pipe.emplace_back();
    } else if (sign == "<<") {
      if (more) until = tokens[i + 1].text;
      return i + (more ? 1 : 0);
    } else if (sign == ">" || sign == ">>" || sign == "&>") {
      if (more) current_.pipe.back().outputs.push_back(tokens[i + 1].text);
      return i + (more ? 1 : 0);
    } else if (sign == "2>" || sign == "<") {
      return i + (more ? 1 : 0);
    } else if (sign != "2>&1") {
      emit();
    }
    return i;
  }

  size_t keyword(const std::vector<Token>& tokens, size_t i) {
    const std::string& word = tokens[i].text;
    if (word == "for" && i + 2 < tokens.size() && tokens[i + 2].text == "in") {
      variable_ = tokens[i + 1].text;
      items_.clear();
      for (i += 3; i < tokens.size() && !tokens[i].operator_; ++i) items_.push_back(tokens[i].text);
      return i;
    }
    if (word == "done") {
      variable_.clear();
      items_.clear();
    }
    if (word == "if" || word == "elif" || word == "while" || word == "until") current_.condition = true;
    return i;
  }

  void emit() {
    std::erase_if(current_.pipe, [](const SimpleCommand& command) { return command.words.empty(); });
    if (!current_.pipe.empty() && !changes_folder(current_.first())) {
      ShellCommand command = current_;
      command.comment = comment_.text;
      command.comment_line = comment_.line;
      command.folder = folder_;
      command.loop_variable = variable_;
      command.loop_items = items_;
      script_.commands.push_back(std::move(command));
    }
    current_.pipe.assign(1, {});
    current_.condition = false;
  }

  bool changes_folder(const SimpleCommand& command) {
    if (command.word(0) != "cd") return false;
    const std::string to = command.word(1);
    if (to == "-") {
      folder_ = before_;
    } else {
      before_ = folder_;
      folder_ = to;
    }
    return true;
  }

  const std::vector<ManualLine>& lines_;
  ShellScript script_;
  ShellCommand current_;
  ManualLine comment_;
  std::string folder_, before_, variable_;
  std::vector<std::string> items_;
};

}  // namespace

bool SimpleCommand::has(std::string_view word) const {
  return std::ranges::any_of(words, [&](const ShellWord& each) { return each.text == word; });
}

std::string SimpleCommand::after(std::string_view option) const {
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i].text == option) return word(i + 1);
    if (option.starts_with("--") && words[i].text.starts_with(std::string(option) + "="))
      return words[i].text.substr(option.size() + 1);
  }
  return "";
}

ShellScript read_script(const std::vector<ManualLine>& lines) { return ScriptReader(lines).read(); }

}  // namespace daruma::run
