// Documents: stored, listed, read in parts and whole, deleted; whose they are; and what damage does.

#include <fmt/format.h>

#include "ai_micro_test.h"
#include "os/files.h"

namespace aimicro {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class DocumentStory : public AiMicroTest {
 protected:
  daruma::Path file_of(const std::string& id) { return system().files() / id.substr(0, 2) / id; }
  void damage(const std::string& id) {
    const auto file = system().fs().open_write(file_of(id));
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->write_at(0, daruma::as_bytes("#")).ok());
  }
  std::string list(const Visitor& who, const std::string& query = "") {
    return system().ask("admin-service", "GET", "/api/documents" + query, who.bearer()).body;
  }
};

TEST_F(DocumentStory, WhatIsStoredComesBackByteForByte) {
  const Visitor who = somebody();
  std::string body(200'000, '\0');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 7 + i / 256);
  const std::string id = upload(who, "復旧手順書.bin", body, "application/x-thing; charset=x");
  const Answer answer = document(who, id, "/content");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, body);
  EXPECT_EQ(answer.header("Content-Type"), "application/x-thing");
  const Answer row = document(who, id);
  EXPECT_EQ(field_of(row.body, "name"), "復旧手順書.bin");
  EXPECT_EQ(field_of(row.body, "size"), "200000");
  EXPECT_EQ(answer.header("ETag"), "\"" + field_of(row.body, "sha256") + "\"");
}

TEST_F(DocumentStory, PartsAreServed) {
  const Visitor who = somebody();
  const std::string id = upload(who, "digits.txt", "0123456789");
  const auto part = [&](const std::string& range) {
    return document(who, id, "/content", {{"Range", range}});
  };
  EXPECT_EQ(part("bytes=2-4").status, 206);
  EXPECT_EQ(part("bytes=2-4").body, "234");
  EXPECT_EQ(part("bytes=2-4").header("Content-Range"), "bytes 2-4/10");
  EXPECT_EQ(part("bytes=7-").body, "789");
  EXPECT_EQ(part("bytes=-2").body, "89");
  EXPECT_EQ(part("bytes=10-").status, 416);
  EXPECT_EQ(part("bytes=10-").header("Content-Range"), "bytes */10");
  EXPECT_EQ(part("bytes=0-1,3-4").status, 200);
  EXPECT_EQ(part("nonsense").body, "0123456789");
}

TEST_F(DocumentStory, WhatTheClientHasIsNotSentAgain) {
  const Visitor who = somebody();
  const std::string id = upload(who, "digits.txt", "0123456789");
  const std::string tag = document(who, id, "/content").header("ETag");
  const Answer unchanged = document(who, id, "/content", {{"If-None-Match", tag}});
  EXPECT_EQ(unchanged.status, 304);
  EXPECT_EQ(unchanged.body, "");
  EXPECT_EQ(unchanged.header("ETag"), tag);
  EXPECT_EQ(document(who, id, "/content", {{"Range", "bytes=0-0"}, {"If-Range", "\"other\""}}).status, 200);
  EXPECT_EQ(document(who, id, "/content", {{"Range", "bytes=0-0"}, {"If-Range", tag}}).status, 206);
  const Answer head = document(who, id, "/content", {}, "HEAD");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("Content-Length"), "10");
}

TEST_F(DocumentStory, AnEmptyDocumentIsADocument) {
  const Visitor who = somebody();
  const std::string id = upload(who, "empty", "");
  const Answer answer = document(who, id, "/content");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Length"), "0");
  EXPECT_EQ(document(who, id, "/content", {{"Range", "bytes=0-"}}).status, 416);
}

TEST_F(DocumentStory, ABrowserMayOnlyKeepWhatItDownloads) {
  const Visitor who = somebody();
  const std::string id = upload(who, "a\"; filename=\"evil.html", "<script>alert(1)</script>", "text/html");
  const Answer answer = document(who, id, "/content");
  EXPECT_THAT(answer.header("Content-Disposition"),
              AllOf(HasSubstr("attachment; filename=\"a__ filename__evil.html\""),
                    HasSubstr("filename*=UTF-8''a%22%3B")));
  EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff");
  EXPECT_THAT(answer.header("Content-Security-Policy"), HasSubstr("sandbox"));
}

TEST_F(DocumentStory, TheListIsNewestFirstAndInPages) {
  const Visitor who = somebody();
  for (int i = 1; i <= 5; ++i) upload(who, fmt::format("document {}", i), "x");
  const auto names_of = [](const std::string& page) {
    std::vector<std::string> names;
    for (size_t at = page.find("\"name\":\""); at != std::string::npos; at = page.find("\"name\":\"", at + 1))
      names.push_back(page.substr(at + 8, page.find('"', at + 8) - at - 8));
    return names;
  };
  const std::string first = list(who, "?limit=2");
  EXPECT_THAT(names_of(first), ElementsAre("document 5", "document 4"));
  const std::string second = list(who, "?limit=2&after=" + field_of(first, "next"));
  EXPECT_THAT(names_of(second), ElementsAre("document 3", "document 2"));
  const std::string last = list(who, "?limit=2&after=" + field_of(second, "next"));
  EXPECT_THAT(names_of(last), ElementsAre("document 1"));
  EXPECT_EQ(field_of(last, "next"), "");
  for (const char* query : {"?limit=0", "?limit=x", "?limit=1000", "?after=x", "?after=1-2"})
    EXPECT_EQ(
        system().ask("admin-service", "GET", std::string("/api/documents") + query, who.bearer()).status, 400)
        << query;
}

TEST_F(DocumentStory, OthersDoNotSeeItAndAdministratorsDo) {
  const Visitor owner = somebody();
  const Visitor stranger = somebody();
  const Visitor admin = an_admin();
  const std::string id = upload(owner, "private.txt", "mine");
  EXPECT_EQ(document(stranger, id).status, 404);
  EXPECT_EQ(document(stranger, id, "/content").status, 404);
  EXPECT_EQ(document(stranger, id, "", {}, "DELETE").status, 404);
  EXPECT_THAT(list(stranger), Not(HasSubstr(id)));
  EXPECT_THAT(list(owner), HasSubstr(id));
  EXPECT_THAT(list(admin), HasSubstr(id));
  EXPECT_EQ(document(admin, id, "/content").body, "mine");
  EXPECT_EQ(system().ask("admin-service", "GET", "/api/documents").status, 401);
}

TEST_F(DocumentStory, WhatIsDeletedIsGoneFromTableAndDisk) {
  const Visitor who = somebody();
  const std::string id = upload(who, "short-lived", "x");
  EXPECT_TRUE(*daruma::exists(system().fs(), file_of(id)));
  EXPECT_EQ(document(who, id, "", {}, "DELETE").status, 204);
  EXPECT_EQ(document(who, id, "/content").status, 404);
  EXPECT_FALSE(*daruma::exists(system().fs(), file_of(id)));
  EXPECT_EQ(document(who, id, "", {}, "DELETE").status, 404);
}

TEST_F(DocumentStory, NoPathLeadsOutOfTheFolder) {
  const Visitor who = somebody();
  for (const char* id : {"..%2f..%2fkeys%2fprivate.pem", "%2e%2e", "..", "....//", "%2Fetc%2Fpasswd", "0",
                         "%00", "AAAAAAAA-AAAA-AAAA-AAAA-AAAAAAAAAAAA"}) {
    EXPECT_THAT(document(who, id).status, testing::AnyOf(400, 404)) << id;
    EXPECT_THAT(document(who, id, "/content").status, testing::AnyOf(400, 404)) << id;
  }
  for (const char* name : {"..%2Fx", "a%2Fb", "a%5Cb", "%00", "a%0D%0Ab", "%FF", "", "%20"})
    EXPECT_EQ(system()
                  .ask("admin-service", "POST", std::string("/api/documents?name=") + name, who.bearer(), "x")
                  .status,
              422)
        << name;
}

TEST_F(DocumentStory, WhatIsTooLargeIsRefused) {
  const Visitor who = somebody();
  const std::string at_the_limit(1 << 20, 'x');
  EXPECT_NE(upload(who, "at the limit", at_the_limit), "");
  auto headers = who.bearer();
  const std::string front = fmt::format("http://localhost:{}", system().port("front-admin"));
  headers.emplace_back("Origin", front);
  const Answer refused =
      system().ask("admin-service", "POST", "/api/documents?name=big", headers, at_the_limit + "y");
  EXPECT_EQ(refused.status, 413);
  EXPECT_EQ(refused.header("Access-Control-Allow-Origin"), front) << "else the page cannot say why";
}

TEST_F(DocumentStory, DamageIsNeverServedAndTheCheckFindsIt) {
  const Visitor who = somebody();
  const std::string good = upload(who, "good", "good bytes");
  const std::string bad = upload(who, "bad", "good bytes");
  const std::string lost = upload(who, "lost", "good bytes");
  EXPECT_EQ(document(who, bad, "/content").status, 200);
  damage(bad);
  ASSERT_TRUE(system().fs().remove_file(file_of(lost)).ok());

  EXPECT_EQ(document(who, bad, "/content").status, 500);
  EXPECT_EQ(document(who, lost, "/content").status, 500);
  EXPECT_EQ(document(who, good, "/content").status, 200);
  EXPECT_THAT(system().logs("admin-service"), HasSubstr("document " + bad + ": its file has another hash"));

  const auto check = system().command("admin-service", {"check"});
  EXPECT_EQ(check.code, 1);
  EXPECT_THAT(check.output,
              AllOf(HasSubstr("damaged: " + bad), HasSubstr("damaged: " + lost), HasSubstr("damaged: 2")));
  for (const std::string& id : {bad, lost}) EXPECT_EQ(document(who, id, "", {}, "DELETE").status, 204);
  EXPECT_EQ(system().command("admin-service", {"check"}).code, 0);
}

TEST_F(DocumentStory, AFileWithoutARowIsLitterThatTheCheckRemoves) {
  const Visitor who = somebody();
  const std::string id = upload(who, "orphan", "x");
  system().postgres().sql("DELETE FROM documents WHERE id = '" + id + "'", "admindb");
  EXPECT_THAT(system().command("admin-service", {"check"}).output, HasSubstr("no row names"));
  EXPECT_EQ(system().command("admin-service", {"check", "--remove-litter"}).code, 0);
  EXPECT_FALSE(*daruma::exists(system().fs(), file_of(id)));
}

}  // namespace
}  // namespace aimicro
