// Whatever is damaged, cut, swapped or gone: verify names it, and says what it cannot know.
#include "repository/verify.h"

#include <gmock/gmock.h>

#include "repository/log_objects.h"
#include "repository/repository_fixture.h"

namespace daruma {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;
using Severity = Finding::Severity;

std::ostream& print(std::ostream& out, const Finding& finding) {
  constexpr const char* kNames[] = {"damage", "lost", "hole", "garbage"};
  return out << kNames[static_cast<size_t>(finding.severity)] << " | " << finding.object << " | "
             << finding.what << " | " << finding.affects << "\n";
}

constexpr uint64_t kPieceBytes = 1024;

class VerifyTest : public testing::Test {
 protected:
  VerifyTest() {
    tree_["a"] = test_file(test_bytes(1, 100));
    tree_["dir"] = {.type = FileEntry::Type::kDirectory};
    tree_["empty"] = test_file({});
    tree_["leafy"] = test_file(test_pages(seeds_from(1, 70)));
    tree_["leafy"].bytes.resize(70 * kPageSize - 5);
    first_ = *repository_.take(tree_);
    const auto parent = repository_.read(first_);
    tree_["leafy"].bytes[3 * kPageSize] ^= std::byte{1};
    tree_["b"] = test_file(test_bytes(2, 50));
    second_ = *repository_.take(tree_, parent.get());
    write_log();
    heads_.writers[repository_.writer.hex()] = {second_.commit.number, second_.hash};
    heads_.logs[stream_.path()] = {{1, 2500}, {2, 2348}};
  }

  // Branch 1: two whole pieces and a short one; branch 2: a tail of three records.
  void write_log() {
    LogWriter::Options options;
    options.stream = stream_;
    options.receiver = "here";
    options.piece_bytes = kPieceBytes;
    options.seal_in_background = false;
    options.summarize = [](Branch, uint64_t, BytesView) { return std::string("{}"); };
    const auto log = *LogWriter::open(*repository_, options);
    DR_CHECK(log->append(1, 0, test_bytes(5, 2500)).ok() && log->close_piece().ok());
    DR_CHECK(log->put_history(2, as_bytes("1 2048")).ok());
    for (const uint64_t at : {2048, 2148, 2248})
      DR_CHECK(log->append(2, at, test_bytes(6, 100)).ok() && log->sync().ok());
  }

  // With a repository that was just opened, but where its identity is damaged.
  VerifyReport verify_all(const Heads* memory = nullptr, bool read_data = true) {
    auto opened = Repository::open({{"memory", &repository_.store}}, repository_.key, repository_.clock,
                                   *repository_.random);
    const Repository& repository = opened.ok() ? **opened : *repository_;
    return *verify(repository, {.read_data = read_data, .memory = memory});
  }

  std::vector<std::string> names(const std::string& prefix = "") {
    std::vector<std::string> names;
    for (const auto& [name, bytes] : repository_.store.copy())
      if (name.starts_with(prefix)) names.push_back(name);
    return names;
  }
  std::string tail() { return names("tails/").at(0); }
  std::string piece(uint64_t position, uint32_t length) { return piece_name(stream_, {1, position, length}); }
  std::string commit(uint64_t number) { return commit_name(repository_.writer, number); }
  Bytes& bytes(const std::string& name) { return repository_.store.bytes(name); }
  // The pack of the frame that holds a page of "leafy", and where in it.
  Location frame_of(const Repository::StoredCommit& stored, uint64_t page) {
    const auto snapshot = repository_.read(stored);
    const LeafMap leaf = *snapshot->leaf(*snapshot->find("leafy"), 0);
    return leaf.frames[leaf.pages[page].frame].location;
  }

  // The damage that is found in `name`, as text; empty if it is not named.
  std::string damage_in(const VerifyReport& report, const std::string& name) {
    std::ostringstream found;
    for (const Finding& finding : report.findings)
      if (finding.severity == Severity::kDamage && finding.object == name) print(found, finding);
    EXPECT_EQ(found.str().empty(), report.ok()) << "of another object";
    return found.str();
  }

  TestRepository repository_;
  TestTree tree_;
  Repository::StoredCommit first_, second_;
  const LogStream stream_{"bookings", 7};
  Heads heads_;
};

auto is_finding(Severity severity, const std::string& object) {
  return AllOf(Field(&Finding::severity, severity), Field(&Finding::object, object));
}

TEST_F(VerifyTest, AHealthyRepositoryHasNoFindings) {
  const VerifyReport report = verify_all(&heads_);
  EXPECT_THAT(report.findings, IsEmpty());
  EXPECT_TRUE(report.ok());
  EXPECT_TRUE(report.had_memory);
  EXPECT_EQ(report.objects, names().size());
  EXPECT_EQ(report.snapshots, 2u);
  EXPECT_EQ(report.snapshots_good, 2u);
  EXPECT_EQ(report.pages_checked,
            71u + 71u + 1u);  // what is inline is looked at again, as is a leaf that changed
  ASSERT_EQ(report.ranges.size(), 2u);
  EXPECT_EQ(report.ranges[0].to, 2500u);
  EXPECT_EQ(report.ranges[1].from, 2048u);
}

TEST_F(VerifyTest, AnyByteFlippedIsFoundAndTheObjectNamed) {
  unsigned bit = 0;
  for (const std::string& name : names()) {
    if (name == tail()) continue;
    for (size_t at = 0; at < bytes(name).size(); ++at) {
      const auto flip = static_cast<std::byte>(1u << (bit++ % 8));
      bytes(name)[at] ^= flip;
      ASSERT_THAT(damage_in(verify_all(), name), Not(IsEmpty())) << name << " byte " << at;
      bytes(name)[at] ^= flip;
    }
  }
  EXPECT_TRUE(verify_all().ok());
}

TEST_F(VerifyTest, AnyObjectCutOrLongerIsFoundAndNamed) {
  for (const std::string& name : names()) {
    if (name == tail()) continue;
    const Bytes whole = bytes(name);
    for (const size_t size : {size_t{0}, size_t{1}, size_t{118}, whole.size() / 2, whole.size() - 1,
                              whole.size() + 1, whole.size() + 50}) {
      bytes(name).resize(size);
      EXPECT_THAT(damage_in(verify_all(), name), Not(IsEmpty())) << name << " with " << size << " bytes";
      bytes(name) = whole;
    }
  }
}

TEST_F(VerifyTest, APackCutBetweenRecordsIsFoundAndNamed) {
  const Location last = frame_of(second_, 3);
  const std::string name = pack_name(last.pack);
  bytes(name).resize(last.offset);
  EXPECT_THAT(damage_in(verify_all(), name), HasSubstr("bytes, and"));
  EXPECT_THAT(damage_in(verify_all(nullptr, false), name), HasSubstr("bytes, and"));
}

TEST_F(VerifyTest, ObjectsOfOneTypeInEachOthersPlaceAreFoundAndNamed) {
  for (const std::string prefix :
       {"packs/", "index/", "commits/", "log/bookings/0000000000000007/00000001/"}) {
    const auto all = names(prefix);
    ASSERT_GE(all.size(), 2u) << prefix;
    for (size_t i = 1; i < all.size(); ++i) {
      std::swap(bytes(all[i - 1]), bytes(all[i]));
      const VerifyReport report = verify_all();
      EXPECT_THAT(damage_in(report, all[i - 1]), Not(IsEmpty()));
      EXPECT_THAT(damage_in(report, all[i]), Not(IsEmpty()));
      std::swap(bytes(all[i - 1]), bytes(all[i]));
    }
  }
}

TEST_F(VerifyTest, AMissingObjectThatAnythingNamesIsFoundAndNamed) {
  auto gone = names("packs/");
  gone.insert(gone.end(), {"repository", commit(1), history_name(stream_, 2)});
  for (const std::string& name : gone) {
    const Bytes kept = bytes(name);
    ASSERT_TRUE(repository_.store.remove(name).ok());
    EXPECT_THAT(damage_in(verify_all(), name), HasSubstr("missing")) << name;
    ASSERT_TRUE(repository_.store.put(name, kept, {}).ok());
  }
}

TEST_F(VerifyTest, AMissingIndexIsToldByThePackWhoseFramesItNamed) {
  for (const std::string& name : names("index/")) {
    const Bytes kept = bytes(name);
    ASSERT_TRUE(repository_.store.remove(name).ok());
    const VerifyReport report = verify_all();
    ASSERT_EQ(report.findings.size(), 1u);
    EXPECT_THAT(report.findings[0].object, HasSubstr("packs/"));
    EXPECT_THAT(report.findings[0].what, HasSubstr("an index object is missing"));
    EXPECT_EQ(report.snapshots_good, 2u);
    ASSERT_TRUE(repository_.store.put(name, kept, {}).ok());
  }
}

TEST_F(VerifyTest, ADamagedFrameIsNamedWithItsFileItsPagesAndTheSnapshotsThatNeedIt) {
  const Location hit = frame_of(first_, 40);
  bytes(pack_name(hit.pack))[hit.offset + 30] ^= std::byte{1};
  const VerifyReport report = verify_all();
  ASSERT_EQ(report.findings.size(), 1u);
  const Finding& finding = report.findings[0];
  EXPECT_EQ(finding.object, pack_name(hit.pack));
  EXPECT_EQ(finding.what,
            "the record at offset " + std::to_string(hit.offset) +
                " is damaged: pages 31-62 of 'leafy'");  // 'a' is the frame's neighbour before it
  EXPECT_THAT(finding.affects,
              HasSubstr("snapshot " + first_.commit.snapshot.hex().substr(0, 8) + " of bookings"));
  EXPECT_THAT(finding.affects, HasSubstr("snapshot " + second_.commit.snapshot.hex().substr(0, 8)));
  EXPECT_EQ(report.snapshots_good, 0u);
}

TEST_F(VerifyTest, DamageInWhatOnlyOneSnapshotNeedsLeavesTheOtherGood) {
  const Location hit = frame_of(second_, 3);
  bytes(pack_name(hit.pack))[hit.offset + 30] ^= std::byte{1};
  const VerifyReport report = verify_all();
  EXPECT_EQ(report.snapshots_good, 1u);
  EXPECT_THAT(damage_in(report, pack_name(hit.pack)), HasSubstr("page 3 of 'leafy'"));
  EXPECT_THAT(damage_in(report, pack_name(hit.pack)),
              Not(HasSubstr(first_.commit.snapshot.hex().substr(0, 8))));
}

TEST_F(VerifyTest, AMissingPackIsFoundWithoutReadingDataWithThePagesThatItHeld) {
  const std::string name = pack_name(frame_of(first_, 40).pack);
  ASSERT_TRUE(repository_.store.remove(name).ok());
  const VerifyReport report = verify_all(nullptr, false);
  EXPECT_THAT(damage_in(report, name), HasSubstr("it is missing: page 0 of 'a', pages 0-69 of 'leafy'"));
  EXPECT_EQ(report.snapshots_good, 0u);
}

TEST_F(VerifyTest, WithoutReadingDataAFlippedByteInAFrameStaysUnseen) {
  const Location hit = frame_of(first_, 40);
  bytes(pack_name(hit.pack))[hit.offset + 30] ^= std::byte{1};
  EXPECT_TRUE(verify_all(nullptr, false).ok());
}

TEST_F(VerifyTest, ARollbackIsFoundWithAMemoryAndNotProvableWithout) {
  MemoryStore::Objects older = repository_.store.copy();
  older.erase(commit(2));
  for (const PackSize& pack : second_.packs)
    if (std::ranges::none_of(first_.packs, [&](const PackSize& old) { return old.pack == pack.pack; }))
      older.erase(pack_name(pack.pack));
  repository_.store.replace(older);

  const VerifyReport without = verify_all();
  EXPECT_TRUE(without.ok());
  EXPECT_FALSE(without.had_memory);
  const VerifyReport with = verify_all(&heads_);
  EXPECT_FALSE(with.ok());
  EXPECT_TRUE(with.had_memory);
  EXPECT_THAT(with.findings, Contains(is_finding(Severity::kLost, commit(2))));
}

TEST_F(VerifyTest, ACommitThatTookTheAcknowledgedOnesPlaceIsFound) {
  ASSERT_TRUE(repository_.store.remove(commit(2)).ok());
  ASSERT_TRUE(repository_.take(tree_).ok());
  EXPECT_TRUE(verify_all().ok());
  EXPECT_THAT(verify_all(&heads_).findings, Contains(is_finding(Severity::kLost, commit(2))));
}

TEST_F(VerifyTest, AnEmptyMemoryIsNone) {
  const Heads nothing;
  EXPECT_FALSE(verify_all(&nothing).had_memory);
}

TEST_F(VerifyTest, LeftOversAreNamedAsGarbageAndNothingIsWrong) {
  ASSERT_TRUE(repository_.take({{"x", test_file(test_bytes(9, 20))}}).ok());
  ASSERT_TRUE(repository_.store.remove(commit(3)).ok());
  ASSERT_TRUE(repository_.store.put("lost+found", as_bytes("x"), {}).ok());
  ASSERT_TRUE(repository_.store.put("packs/ab/cd", as_bytes("x"), {}).ok());
  ASSERT_TRUE(repository_.store.put("log/x", as_bytes("x"), {}).ok());
  ASSERT_TRUE(repository_.store.put("log/bookings/0000000000000007/x", as_bytes("x"), {}).ok());
  const VerifyReport report = verify_all();
  EXPECT_TRUE(report.ok());
  std::vector<std::string> garbage;
  for (const Finding& finding : report.findings) garbage.push_back(finding.object.substr(0, 6));
  EXPECT_THAT(garbage, UnorderedElementsAre("packs/", "packs/", "packs/", "index/", "lost+f", "packs/",
                                            "log/x", "log/bo"));
}

TEST_F(VerifyTest, DamageInGarbageIsGarbage) {
  ASSERT_TRUE(repository_.take({{"x", test_file(test_bytes(9, 20))}}).ok());
  ASSERT_TRUE(repository_.store.remove(commit(3)).ok());
  for (const std::string& name : names("packs/")) {
    const bool needed =
        std::ranges::any_of(second_.packs, [&](const PackSize& p) { return pack_name(p.pack) == name; }) ||
        std::ranges::any_of(first_.packs, [&](const PackSize& p) { return pack_name(p.pack) == name; });
    if (!needed) bytes(name)[130] ^= std::byte{1};
  }
  EXPECT_TRUE(verify_all().ok());
}

TEST_F(VerifyTest, ACommitThatDoesNotNameAPackItNeedsIsDamage) {
  Commit copy = second_.commit;
  ASSERT_TRUE(repository_->append_commit(repository_.writer, copy, {second_.packs.front()}).ok());
  const VerifyReport report = verify_all(nullptr, false);
  EXPECT_THAT(damage_in(report, commit(3)), HasSubstr("it does not name all packs that it needs"));
}

TEST_F(VerifyTest, WhatSnapshotsShareIsReadOnce) {
  const uint64_t before = verify_all().bytes_read;
  for (int i = 0; i < 5; ++i) {
    const auto parent = repository_.read(second_);
    second_ = *repository_.take(tree_, parent.get());
  }
  uint64_t added = 0;
  for (const std::string& name : names("packs/")) added += bytes(name).size();
  const VerifyReport report = verify_all();
  EXPECT_EQ(report.snapshots_good, 7u);
  EXPECT_LT(report.bytes_read, before + 2 * added);
}

TEST_F(VerifyTest, ProgressEndsWhenEverythingWasLookedAt) {
  for (const bool read_data : {false, true}) {
    uint64_t done = 0;
    uint64_t total = 0;
    VerifyOptions options;
    options.read_data = read_data;
    options.progress = [&](uint64_t bytes_done, uint64_t bytes_total) {
      EXPECT_GE(bytes_done, done);
      done = bytes_done;
      total = bytes_total;
    };
    ASSERT_TRUE(verify(*repository_, options).ok());
    EXPECT_EQ(done, total);
  }
}

TEST_F(VerifyTest, AFlippedByteOfATailIsDamageUnlessItIsInItsLastRecord) {
  const size_t record = kRecordPrefix + 14 + 100 + 16;
  const size_t last = bytes(tail()).size() - record;
  for (size_t at = 0; at < bytes(tail()).size(); ++at) {
    bytes(tail())[at] ^= std::byte{16};
    const VerifyReport without = verify_all();
    const VerifyReport with = verify_all(&heads_);
    if (at < last) {
      ASSERT_THAT(damage_in(without, tail()), Not(IsEmpty())) << at;
    } else {
      ASSERT_TRUE(without.ok()) << at;  // just like a crash
    }
    ASSERT_THAT(with.findings, Contains(is_finding(Severity::kLost, log_prefix(stream_)))) << at;
    bytes(tail())[at] ^= std::byte{16};
  }
}

TEST_F(VerifyTest, ACutOrMissingTailIsFoundWithAMemory) {
  const Bytes whole = bytes(tail());
  for (const size_t size : {size_t{0}, size_t{100}, size_t{118}, whole.size() - 1}) {
    bytes(tail()).resize(size);
    EXPECT_THAT(verify_all(&heads_).findings, Contains(is_finding(Severity::kLost, log_prefix(stream_))));
    bytes(tail()) = whole;
  }
  ASSERT_TRUE(repository_.store.remove(tail()).ok());
  EXPECT_THAT(verify_all(&heads_).findings, Contains(is_finding(Severity::kLost, log_prefix(stream_))));
}

TEST_F(VerifyTest, AMissingPieceIsAHoleOrALostEnd) {
  const std::string middle = piece(kPieceBytes, kPieceBytes);
  const Bytes kept = bytes(middle);
  ASSERT_TRUE(repository_.store.remove(middle).ok());
  const VerifyReport with_hole = verify_all();
  EXPECT_TRUE(with_hole.ok());  // capture may have been interrupted as well
  ASSERT_THAT(with_hole.findings, ElementsAre(is_finding(Severity::kHole, log_prefix(stream_))));
  EXPECT_THAT(with_hole.findings[0].what,
              HasSubstr("branch 1: nothing is held from 0000000000000400 to 0000000000000800"));
  ASSERT_TRUE(repository_.store.put(middle, kept, {}).ok());
  ASSERT_TRUE(repository_.store.remove(piece(2 * kPieceBytes, 452)).ok());
  const VerifyReport report = verify_all(&heads_);
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].what,
            "branch 1 was acknowledged up to 00000000000009c4, and is held up to 0000000000000800");
}

TEST_F(VerifyTest, ALogOfWhichNothingIsLeftIsFoundWithAMemory) {
  for (const std::string folder : {"log/", "tails/"})
    for (const std::string& name : names(folder)) ASSERT_TRUE(repository_.store.remove(name).ok());
  EXPECT_TRUE(verify_all().ok());
  EXPECT_THAT(verify_all(&heads_).findings, Contains(is_finding(Severity::kLost, log_prefix(stream_))));
}

TEST_F(VerifyTest, PiecesThatOverlapWithOtherBytesAreASplitBrain) {
  const PieceName other{1, 512, 600};
  const auto put = [&](BytesView content) {
    const std::string name = piece_name(stream_, other);
    EXPECT_TRUE(repository_.store.remove(name).ok());
    EXPECT_TRUE(
        repository_.store
            .put(name, seal_piece(repository_->keys(), *repository_.random, name, other, content, "{}"), {})
            .ok());
    return name;
  };
  const Bytes log = test_bytes(5, 2500);
  put(BytesView(log).subspan(512, 600));
  EXPECT_TRUE(verify_all().ok());
  Bytes changed = to_bytes(BytesView(log).subspan(512, 600));
  changed.back() ^= std::byte{1};
  const std::string name = put(changed);
  const VerifyReport report = verify_all();
  EXPECT_FALSE(report.ok());
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_THAT(report.findings[0].what, HasSubstr("split brain"));
  EXPECT_THAT(report.findings[0].object + report.findings[0].what, HasSubstr(name));
}

class VerifyPassphraseTest : public testing::Test {
 protected:
  VerifyReport verify_all() { return *verify(*repository_, {.read_data = true}); }

  MemoryStore store_;
  ManualClock clock_;
  std::unique_ptr<Random> random_ = seeded_random(1);
  const std::string name_ = "keys/00000001";
  std::unique_ptr<Repository> repository_;
};

TEST_F(VerifyPassphraseTest, ADamagedOrMissingPassphraseKeyIsFoundWithoutThePassphrase) {
  const Bytes object = *wrap_with_passphrase(test_key(), "correct horse", *random_);
  ASSERT_TRUE(Repository::create({"memory", &store_}, test_key(), clock_, *random_, object).ok());
  repository_ = *Repository::open({{"memory", &store_}}, test_key(), clock_, *random_);
  EXPECT_THAT(verify_all().findings, IsEmpty());
  for (std::byte& byte : store_.bytes(name_)) {
    byte ^= std::byte{2};
    EXPECT_THAT(verify_all().findings, ElementsAre(is_finding(Severity::kDamage, name_)));
    byte ^= std::byte{2};
  }
  ASSERT_TRUE(store_.remove(name_).ok());
  EXPECT_THAT(verify_all().findings, ElementsAre(is_finding(Severity::kDamage, name_)));
}

}  // namespace
}  // namespace daruma
