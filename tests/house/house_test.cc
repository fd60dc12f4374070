// The rules of the house: first that the checker sees each kind of fault in small made-up sources, then that
// the tree of this repository has none.
#include <gmock/gmock.h>

#include <algorithm>

#include "house_rules.h"
#include "os/files.h"

namespace daruma::house {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string repeat(std::string_view line, size_t times) {
  std::string text;
  for (size_t i = 0; i < times; ++i) text += line;
  return text;
}

std::vector<std::string> faults(const std::string& path, const std::string& text) {
  std::vector<std::string> all;
  for (const Fault& fault : check({path, text})) all.push_back(fault.text());
  return all;
}

// --- layers

TEST(Layers, AFloorMayUseItselfAndTheFloorsBelow) {
  const std::string all =
      "#include \"base/result.h\"\n#include \"os/clock.h\"\n#include \"storage/object_store.h\"\n"
      "#include \"repository/pack.h\"\n";
  EXPECT_THAT(faults("src/repository/reader.cc", all), ElementsAre());
  EXPECT_THAT(faults("src/datastore/postgres/lsn.cc", all + "#include \"datastore/postgres/lsn.h\"\n"),
              ElementsAre());
}

TEST(Layers, AnIncludeFromAboveIsAFaultOnItsLine) {
  EXPECT_THAT(
      faults("src/os/files.cc", "\n#include \"storage/object_store.h\"\n"),
      ElementsAre(
          "src/os/files.cc:2: os includes from storage, a floor above it: move the code down, or pass "
          "an interface in"));
  EXPECT_EQ(faults("src/repository/pack.cc", "#include \"datastore/postgres/lsn.h\"\n").size(), 1u);
  EXPECT_EQ(faults("src/server/serve.cc", "#include \"cli/commands.h\"\n").size(), 1u);
}

TEST(Layers, AFolderOutsideTheTableIsAFault) {
  EXPECT_THAT(faults("src/attic/old.cc", ""),
              ElementsAre(HasSubstr("'attic' is not in the table of floors")));
  EXPECT_THAT(faults("src/os/files.cc", "#include \"files.h\"\n"),
              ElementsAre(HasSubstr("'files.h' has no folder")));
}

TEST(Layers, TestsMayIncludeEverything) {
  const std::string above = "#include \"cli/commands.h\"\n";
  EXPECT_THAT(faults("src/base/bytes_test.cc", above), ElementsAre());
  EXPECT_THAT(faults("src/base/test_data.h", above), ElementsAre());
  EXPECT_THAT(faults("tests/crash/crash_test.cc", above), ElementsAre());
}

// --- sizes

TEST(Sizes, AFileOfEightHundredLinesIsTheLongest) {
  EXPECT_THAT(faults("src/os/a.cc", repeat("\n", 800)), ElementsAre());
  EXPECT_THAT(faults("src/os/a.cc", repeat("\n", 801)),
              ElementsAre("src/os/a.cc:801: the file has 801 lines, more than 800: split it by concept"));
}

TEST(Sizes, ALineOfOneHundredAndTenColumnsIsTheLongest) {
  EXPECT_THAT(faults("src/os/a.cc", repeat("x", 110) + "\n"), ElementsAre());
  EXPECT_THAT(faults("src/os/a.cc", "\n" + repeat("x", 111) + "\n"),
              ElementsAre(HasSubstr("a.cc:2: the line has 111 ")));
  EXPECT_THAT(faults("tests/a.cc", repeat("x", 111)), ElementsAre(HasSubstr("110")));
}

TEST(Sizes, ColumnsAreCharactersNotBytes) {
  EXPECT_THAT(faults("src/os/a.cc", "// " + repeat("達", 100) + "\n"), ElementsAre());
}

// `lines` counts the whole function, its first and last line included.
std::string function(const std::string& head, size_t lines, const std::string& indent = "") {
  return indent + head + " {\n" + repeat(indent + "  work();\n", lines - 2) + indent + "}\n";
}

TEST(Functions, SeventyLinesAreTheLongest) {
  EXPECT_THAT(faults("src/os/a.cc", function("void f(int x)", 70)), ElementsAre());
  EXPECT_THAT(
      faults("src/os/a.cc", "\n" + function("void f(int x)", 71)),
      ElementsAre("src/os/a.cc:2: 'void f' has 71 lines, more than 70: give its parts names of their own"));
}

TEST(Functions, AreFoundInNamespacesClassesAndTests) {
  const std::string method = function("int f() const", 71, "  ");
  for (const std::string scope :
       {"class A final : public B {", "struct A {", "template <class T>\nclass [[nodiscard]] A {",
        "namespace a {\nnamespace {\nclass A {"})
    EXPECT_EQ(faults("src/os/a.h", scope + "\n public:\n  int x = 0;\n" + method + "};\n").size(), 1u)
        << scope;
  EXPECT_EQ(faults("src/os/a.cc", "namespace a {\n" + function("void f()", 71) + "}\n").size(), 1u);
  EXPECT_EQ(faults("src/os/a_test.cc", function("TEST(A, B)", 71)).size(), 1u);
  EXPECT_EQ(faults("src/os/a.cc", function("template <class T>\nvoid f(T t)", 71)).size(), 1u);
  EXPECT_EQ(faults("src/os/a.cc", function("void f(int a,\n       int b)", 71)).size(), 1u);
  EXPECT_EQ(faults("src/os/a.cc", function("A::A(int a)\n    : a_(a),\n      b_{a}", 71)).size(), 1u);
}

TEST(Functions, ManyShortOnesAndLongTablesAreFine) {
  EXPECT_THAT(faults("src/os/a.cc", repeat(function("void f()", 40) + "\n", 10)), ElementsAre());
  EXPECT_THAT(faults("src/os/a.cc", "int g() { return 1; }\n" + function("void f()", 69)), ElementsAre());
  EXPECT_THAT(faults("src/os/a.cc", "constexpr int kTable[] = {\n" + repeat("    1,\n", 300) + "};\n"),
              ElementsAre());
  EXPECT_THAT(faults("src/os/a.h", "class A {\n" + repeat("  int f();\n", 300) + "};\n"), ElementsAre());
}

// --- banned calls

TEST(Bans, EveryBannedCallIsFoundAndItsReplacementNamed) {
  const std::pair<std::string, std::string> kCalls[] = {
      {"auto t = std::chrono::system_clock::now();", "Clock::now"},
      {"auto t = steady_clock::now();", "Clock::mono"},
      {"std::this_thread::sleep_for(1s);", "Clock::pause"},
      {"::sleep(1);", "Clock::pause"},
      {"usleep(10);", "Clock::pause"},
      {"int fd = ::open(path, 0);", "FileSystem::open_read"},
      {"FILE* f = fopen(path, mode);", "FileSystem::open_read"},
      {"std::ifstream in(path);", "read_file"},
      {"std::ofstream out(path);", "replace_file"},
      {"std::getenv(name);", "environment_variable"},
      {"int i = rand();", "Random"},
      {"std::random_device device;", "Random"},
      {"std::system(command);", "ProcessRunner"},
      {"popen(command, mode);", "ProcessRunner"},
  };
  for (const auto& [call, instead] : kCalls) {
    EXPECT_THAT(faults("src/cli/a.cc", call), ElementsAre(HasSubstr("use " + instead))) << call;
    EXPECT_THAT(faults("src/os/a.cc", call), ElementsAre()) << call;
    EXPECT_THAT(faults("src/cli/a_test.cc", call), ElementsAre()) << call;
    EXPECT_THAT(faults("tests/a.cc", call), ElementsAre()) << call;
  }
}

TEST(Bans, WhatOnlyLooksLikeACallIsFine) {
  for (const std::string fine :
       {"real_file_system();", "Store::open(path);", "clock.sleep(1);", "clock->sleep(1);", "operand();",
        "pg_sleep(1);", "// we never call ::open( or sleep(", "/* rand() */", "f(\"SELECT sleep(1)\");",
        "R\"(popen rand())\";", "char c = '\"'; f(\"rand()\");", "f(\"\\\"rand()\");",
        "int million = 1'000'000;  // rand() '", "my_getenv_like;", "fopening();"})
    EXPECT_THAT(faults("src/cli/a.cc", fine), ElementsAre()) << fine;
}

TEST(Bans, CodeAfterACommentOrALiteralIsStillSeen) {
  for (const std::string bad :
       {"/* x */ rand();", "f(\"x\"); rand();", "f('x'); rand();", "f(R\"(x)\"); rand();", "// '\nrand();",
        "int i = 1'000; rand();", "f(\"\\\\\"); rand();"})
    EXPECT_EQ(faults("src/cli/a.cc", bad).size(), 1u) << bad;
}

// --- the tree

void collect(FileSystem& fs, const Path& root, const Path& folder, std::vector<Source>& sources) {
  const auto entries = fs.list_dir(root / folder);
  ASSERT_TRUE(entries.ok()) << entries.error().what;
  for (const DirectoryEntry& entry : *entries) {
    const Path path = folder / entry.name;
    if (entry.type == FileType::kDirectory) collect(fs, root, path, sources);
    if (entry.type != FileType::kFile || (path.extension() != ".h" && path.extension() != ".cc")) continue;
    const auto bytes = read_file(fs, root / path, 1 << 24);
    ASSERT_TRUE(bytes.ok()) << bytes.error().what;
    sources.push_back({path.native(), std::string(as_text(*bytes))});
  }
}

TEST(House, EverySourceOfThisRepositoryKeepsTheRules) {
  const auto fs = real_file_system();
  std::vector<Source> sources;
  for (const char* folder : {"src", "tests"}) collect(*fs, DARUMA_SOURCE_DIR, folder, sources);
  ASSERT_GT(sources.size(), 50u);
  for (const Source& source : sources)
    for (const Fault& fault : check(source)) ADD_FAILURE() << fault.text();
}

}  // namespace
}  // namespace daruma::house
