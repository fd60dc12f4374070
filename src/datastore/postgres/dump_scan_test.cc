// What a dump holds, told by reading it: cut anywhere, it is not whole.
#include "datastore/postgres/dump_scan.h"

#include <gmock/gmock.h>

namespace daruma::postgres {
namespace {

using testing::ElementsAre;
using testing::Pair;

constexpr std::string_view kCluster = R"(--
-- PostgreSQL database cluster dump
--

CREATE ROLE postgres;

\connect template1

--
-- PostgreSQL database dump
--

--
-- PostgreSQL database dump complete
--

CREATE DATABASE authdb WITH TEMPLATE = template0 ENCODING = 'UTF8';

\connect authdb

--
-- Data for Name: users; Type: TABLE DATA; Schema: public; Owner: auth
--

COPY public.users (id, name) FROM stdin;
1	花子
2	-- PostgreSQL database cluster dump complete
3	\\.
\.


--
-- Data for Name: Odd.Name; Type: TABLE DATA; Schema: public; Owner: auth
--

COPY public."Odd.""Name""" (id) FROM stdin;
\.


\connect -reuse-previous=on "dbname='odd \'db'"

--
-- PostgreSQL database dump complete
--

--
-- PostgreSQL database cluster dump complete
--

)";

DumpFacts facts_of(std::string_view text, size_t piece = 4096) {
  DumpScan scan;
  for (size_t at = 0; at < text.size(); at += piece) scan.feed(text.substr(at, piece));
  return scan.finish();
}

TEST(DumpScan, ADumpOfAClusterTellsItsDatabasesAndRows) {
  const DumpFacts facts = facts_of(kCluster);
  EXPECT_TRUE(facts.cluster);
  EXPECT_TRUE(facts.complete);
  EXPECT_THAT(facts.databases, ElementsAre("template1", "authdb", "odd 'db"));
  EXPECT_THAT(facts.rows, ElementsAre(Pair("authdb.public.Odd.\"Name\"", 0), Pair("authdb.public.users", 3)));
}

TEST(DumpScan, PiecesOfAnySizeTellTheSame) {
  for (size_t piece = 1; piece < 40; ++piece) {
    const DumpFacts facts = facts_of(kCluster, piece);
    EXPECT_TRUE(facts.complete) << piece;
    EXPECT_EQ(facts.rows.at("authdb.public.users"), 3u) << piece;
  }
}

TEST(DumpScan, ADumpCutAnywhereIsNotWhole) {
  const size_t last_line = kCluster.rfind(" dump complete");
  for (size_t size = 0; size < last_line + 13; ++size)
    EXPECT_FALSE(facts_of(kCluster.substr(0, size)).complete) << "cut at " << size;
}

TEST(DumpScan, ADumpOfOneDatabaseNamesNone) {
  const DumpFacts facts = facts_of(
      "--\n-- PostgreSQL database dump\n--\n\n-- Data for Name: t; Type: TABLE DATA; Schema: s; Owner: "
      "o\n--\n\n"
      "COPY s.t (a) FROM stdin;\n1\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict x\n");
  EXPECT_FALSE(facts.cluster);
  EXPECT_TRUE(facts.complete);
  EXPECT_THAT(facts.databases, ElementsAre());
  EXPECT_THAT(facts.rows, ElementsAre(Pair("s.t", 1)));
}

TEST(DumpScan, TextThatLooksLikeACopyCountsNothing) {
  const DumpFacts facts = facts_of(
      "--\n-- PostgreSQL database dump\n--\nCREATE FUNCTION f() RETURNS text AS $$\nCOPY a.b (c) FROM "
      "stdin;\n$$;\n"
      "--\n-- PostgreSQL database dump complete\n--\n");
  EXPECT_TRUE(facts.rows.empty());
  EXPECT_TRUE(facts.complete);
}

}  // namespace
}  // namespace daruma::postgres
