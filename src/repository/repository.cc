#include "repository/repository.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "repository/numbered.h"

namespace daruma {
namespace {

constexpr const char* kIdentityName = "repository";
constexpr const char* kProgramVersion = "0.1.0";
constexpr uint64_t kHeaderGuess = 512;  // a pack's header is smaller, but for features yet unknown
constexpr size_t kOpenersKept = 4096;

// A creation that was cut off may have left the key it made: nothing is sealed with it, so it makes room.
Status put_passphrase_object(ObjectStore& store, const std::string& name, BytesView bytes) {
  Status put = store.put(name, bytes);
  if (!put.is(Errc::kExists)) return put;
  DR_TRY(const auto objects, store.list(""));
  if (objects.size() != 1)
    return Error{
        Errc::kExists,
        fmt::format("{} holds a repository whose identity, '{}', is missing", store.url(), kIdentityName),
        "bring that object back from a copy, or name another place"};
  DR_OK(store.remove(name));
  return store.put(name, bytes);
}

struct CommitPlace {
  WriterId writer;
  uint64_t number = 0;
};

// The other way round of commit_name().
Result<CommitPlace> parse_commit_name(const std::string& name) {
  constexpr size_t kWriterAt = sizeof("commits/") - 1;
  constexpr size_t kNumberAt = kWriterAt + 32 + 1;
  const Error strange{Errc::kCorrupt, name + ": this is not a commit's name"};
  if (name.size() != kNumberAt + 16) return strange;
  const auto writer = WriterId::parse(name.substr(kWriterAt, 32));
  const auto number = from_hex(name.substr(kNumberAt));
  if (!writer.ok() || !number.ok()) return strange;
  CommitPlace place{*writer, 0};
  for (const std::byte byte : *number) place.number = place.number << 8 | static_cast<uint8_t>(byte);
  if (place.number == 0 || commit_name(place.writer, place.number) != name) return strange;
  return place;
}

}  // namespace

Repository::Repository(std::vector<Copy> copies, const KeyFile& key, Clock& clock, Random& random)
    : copies_(std::move(copies)), keys_(key), clock_(clock), random_(random) {}

Status Repository::create(const Copy& copy, const KeyFile& key, Clock& clock, Random& random,
                          BytesView passphrase_object) {
  const Keys keys(key);
  ByteWriter identity;
  identity.put(static_cast<uint8_t>(RecordKind::kIdentity));
  identity.put(static_cast<uint64_t>(clock.now().micros));
  identity.put_string(kProgramVersion);
  identity.put(static_cast<uint8_t>(!passphrase_object.empty()));
  ObjectSealer sealer(keys, random, ObjectType::kRepository, random.id<ObjectId>(), kIdentityName);
  sealer.append(identity.view());
  const auto there = copy.store->head(kIdentityName);
  if (there.ok())
    return Error{Errc::kExists, fmt::format("there is a repository in {} already", copy.store->url()),
                 "use it, or name another place"};
  if (!there.is(Errc::kNotFound)) return there.error();
  if (!passphrase_object.empty())
    DR_OK(put_passphrase_object(*copy.store, fmt::format("keys/{:08x}", key.epoch), passphrase_object));
  return copy.store->put(kIdentityName, sealer.view());
}

Result<std::unique_ptr<Repository>> Repository::open(std::vector<Copy> copies, const KeyFile& key,
                                                     Clock& clock, Random& random) {
  if (copies.size() != 1)
    return Error{
        Errc::kInvalid,
        fmt::format("{} copies are configured, and this version works with exactly one", copies.size()),
        "leave one entry under repository.copies"};
  std::unique_ptr<Repository> repository(new Repository(std::move(copies), key, clock, random));
  bool identified = false;
  Status read = repository->read_object(
      kIdentityName, ObjectType::kRepository, [&](uint64_t, const Bytes& record) -> Status {
        identified |= record.at(0) == static_cast<std::byte>(RecordKind::kIdentity);
        return {};
      });
  if (read.ok() && !identified) read = Error{Errc::kCorrupt, "it holds no identity"};
  if (read.is(Errc::kNotFound))
    return Error{Errc::kNotFound, fmt::format("there is no repository in {}", repository->store().url()),
                 "run `daruma init` first, or correct the URL"};
  if (read.is(Errc::kCorrupt))
    return Error{
        Errc::kInvalid,
        fmt::format("the repository in {} does not open: {}", repository->store().url(), read.error().what),
        "is this its key file?"};
  DR_OK(read);
  return repository;
}

Status Repository::put_record(const std::string& name, ObjectType type, BytesView plain,
                              BytesView clear_section) {
  ObjectSealer sealer(keys_, random_, type, random_.id<ObjectId>(), name, clear_section);
  sealer.append(plain);
  return store().put(name, sealer.view());
}

Status Repository::read_object(const std::string& name, ObjectType type,
                               const std::function<Status(uint64_t, Bytes)>& each) const {
  DR_TRY(const Bytes object, store().get(name));
  auto opener = ObjectOpener::open(keys_, type, name, object);
  if (!opener.ok()) return std::move(opener).error().in(name);
  RecordCursor cursor(*opener, object);
  while (!cursor.at_end()) {
    const uint64_t offset = cursor.offset();
    auto record = cursor.next();
    if (!record.ok()) return std::move(record).error().in(name);
    if (Status status = each(offset, *std::move(record)); !status.ok())
      return std::move(status).error().in(name);
  }
  return {};
}

Result<std::shared_ptr<const ObjectOpener>> Repository::pack_opener(const PackId& pack) const {
  {
    auto openers = openers_.lock();
    if (const auto found = openers->find(pack); found != openers->end()) return found->second;
  }
  const std::string name = pack_name(pack);
  DR_TRY(const ObjectInfo info, store().head(name));
  DR_TRY(Bytes front, store().get_range(name, 0, std::min(info.size, kHeaderGuess)));
  const auto header = ObjectOpener::header_size(front);
  if (header.ok() && *header > front.size() && *header <= info.size) {
    DR_TRY(front, store().get_range(name, 0, *header));
  }
  auto opener = ObjectOpener::open(keys_, ObjectType::kPack, name, front);
  if (!opener.ok()) return std::move(opener).error().in(name);
  if (opener->id() != pack) return Error{Errc::kCorrupt, name + ": it is another pack"};
  auto shared = std::make_shared<const ObjectOpener>(*std::move(opener));
  auto openers = openers_.lock();
  if (openers->size() >= kOpenersKept) openers->clear();
  openers->emplace(pack, shared);
  return shared;
}

Result<Bytes> Repository::read_record(const Location& location) const {
  const std::string name = pack_name(location.pack);
  if (location.size > kRecordSizeMax)
    return Error{Errc::kCorrupt, name + ": a location's size is impossible"};
  const auto read = [&]() -> Result<Bytes> {
    DR_TRY(const auto opener, pack_opener(location.pack));
    DR_TRY(const Bytes sealed, store().get_range(name, location.offset, kRecordPrefix + location.size));
    auto record = opener->record(location.offset, sealed);
    if (!record.ok()) return std::move(record).error().in(name);
    return record;
  };
  auto record = read();
  if (record.is(Errc::kNotFound)) return Error{Errc::kCorrupt, name + ": it is missing"};
  return record;
}

Result<uint64_t> Repository::newest_commit(const WriterId& writer) const {
  return newest_number(store(), [&](uint64_t number) { return commit_name(writer, number); });
}

Result<Repository::StoredCommit> Repository::read_commit(const WriterId& writer, uint64_t number) const {
  const std::string name = commit_name(writer, number);
  DR_TRY(const Bytes object, store().get(name));
  auto opener = ObjectOpener::open(keys_, ObjectType::kCommit, name, object);
  if (!opener.ok()) return std::move(opener).error().in(name);
  StoredCommit stored;
  stored.hash = hash_object(object);
  RecordCursor cursor(*opener, object);
  const auto record = cursor.next();
  if (!record.ok() || !cursor.at_end()) return Error{Errc::kCorrupt, name + ": damaged after its header"};
  DR_TRY(stored.commit, decode_commit(*record));
  DR_TRY(stored.packs, decode_packs(opener->clear_section()));
  if (stored.commit.writer != writer || stored.commit.number != number)
    return Error{Errc::kCorrupt, name + ": it is another commit"};
  return stored;
}

Result<Repository::StoredCommit> Repository::append_commit(const WriterId& writer, Commit commit,
                                                           const std::vector<PackSize>& packs) {
  DR_TRY(uint64_t newest, newest_commit(writer));
  for (;;) {
    commit.parent = {};
    if (newest > 0) {
      DR_TRY(const Bytes parent, store().get(commit_name(writer, newest)));
      commit.parent = hash_object(parent);
    }
    commit.writer = writer;
    commit.number = newest + 1;
    commit.time = clock_.now();
    const std::string name = commit_name(writer, commit.number);
    ObjectSealer sealer(keys_, random_, ObjectType::kCommit, random_.id<ObjectId>(), name,
                        encode_packs(packs));
    sealer.append(encode_commit(commit));
    const Status put = store().put(name, sealer.view());
    if (put.ok()) return StoredCommit{commit, packs, hash_object(sealer.view())};
    if (!put.is(Errc::kExists)) return put.error();
    ++newest;
  }
}

// The writer's chain as far as it is there: `numbers` are those that were listed.
Status Repository::read_chain(const WriterId& writer, const std::set<uint64_t>& numbers,
                              const DamageSink& damage, std::vector<StoredCommit>& out) const {
  const auto report = [&](uint64_t number, Error error) -> Status {
    if (!damage) return error;
    damage(commit_name(writer, number), error);
    return {};
  };
  uint64_t next = 1;
  std::optional<CommitHash> parent = CommitHash{};  // nullopt: the one before could not be read
  for (const uint64_t number : numbers) {
    if (number > next) {
      parent.reset();
      DR_OK(
          report(next, {Errc::kNotFound, fmt::format("{} is missing ({} in a row), and later ones are there",
                                                     commit_name(writer, next), number - next)}));
    }
    next = number + 1;
    auto stored = read_commit(writer, number);
    if (!stored.ok()) {
      parent.reset();
      DR_OK(report(number, std::move(stored).error()));
      continue;
    }
    if (parent && stored->commit.parent != *parent)
      DR_OK(
          report(number, {Errc::kCorrupt, fmt::format("{}: it follows another commit than the one before it",
                                                      commit_name(writer, number))}));
    parent = stored->hash;
    out.push_back(*std::move(stored));
  }
  return {};
}

Result<std::vector<Repository::StoredCommit>> Repository::commits(const DamageSink& damage) const {
  DR_TRY(const std::vector<ObjectInfo> objects, store().list("commits/"));
  // A store that is not mounted lists nothing either: none is an answer only of a repository that is there.
  if (objects.empty()) DR_OK(store().head(kIdentityName));
  std::map<std::string, std::set<uint64_t>> numbers_of;
  for (const ObjectInfo& object : objects) {
    const auto place = parse_commit_name(object.name);
    if (place.ok()) {
      numbers_of[place->writer.hex()].insert(place->number);
      continue;
    }
    if (!damage) return place.error();
    damage(object.name, place.error());
  }
  std::vector<StoredCommit> all;
  for (const auto& [hex, numbers] : numbers_of)
    DR_OK(read_chain(*WriterId::parse(hex), numbers, damage, all));
  std::ranges::stable_sort(all, {}, [](const StoredCommit& stored) { return stored.commit.time; });
  return all;
}

}  // namespace daruma
