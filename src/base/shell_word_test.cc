#include "base/shell_word.h"

#include <gtest/gtest.h>

namespace daruma {
namespace {

TEST(ShellWord, IsQuotedWhereAShellWouldReadItOtherwise) {
  EXPECT_EQ(shell_word("auth-service@1.service"), "auth-service@1.service");
  EXPECT_EQ(shell_word("two words"), "'two words'");
  EXPECT_EQ(shell_word("a'b"), "'a'\\''b'");
  EXPECT_EQ(shell_word("$HOME"), "'$HOME'");
  EXPECT_EQ(shell_word(""), "''");
}

TEST(ShellLine, QuotesEachWordByItself) {
  EXPECT_EQ(shell_line({"curl", "http://h/a?b=1&c=2", "it's", ""}),
            R"(curl 'http://h/a?b=1&c=2' 'it'\''s' '')");
}

}  // namespace
}  // namespace daruma
