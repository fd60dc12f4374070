#include "datastore/postgres/wal_parser.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "datastore/postgres/wal_record.h"

namespace daruma::postgres {
namespace {

constexpr uint64_t kWalPageBytes = 8192;
constexpr size_t kShortHeaderBytes = 24;
constexpr size_t kLongHeaderBytes = 40;

// Flags of a page header.
constexpr uint16_t kFirstIsContrecord = 0x0001;  // the page begins inside a record
constexpr uint16_t kLongHeader = 0x0002;         // as every segment's first page
constexpr uint16_t kFirstIsOverwriteContrecord =
    0x0008;  // a crash cut the record before; this page replaces its rest
constexpr uint16_t kAllFlags = 0x000F;

struct PageHeader {
  uint16_t magic = 0;
  uint16_t flags = 0;
  Timeline timeline = 0;
  Lsn address;
  uint32_t remaining = 0;  // bytes of the continued record from here on
  // In a long header only.
  uint64_t system_identifier = 0;
  uint32_t segment_bytes = 0;
  uint32_t page_bytes = 0;

  bool is_long() const { return flags & kLongHeader; }
  bool continues_record() const { return flags & kFirstIsContrecord; }
  bool overwrites_record() const { return flags & kFirstIsOverwriteContrecord; }
};

PageHeader read_page_header(BytesView bytes) {
  ByteReader reader(bytes);
  PageHeader header;
  header.magic = reader.get<uint16_t>();
  header.flags = reader.get<uint16_t>();
  header.timeline = reader.get<uint32_t>();
  header.address = {reader.get<uint64_t>()};
  header.remaining = reader.get<uint32_t>();
  reader.get<uint32_t>();  // padding
  header.system_identifier = reader.get<uint64_t>();
  header.segment_bytes = reader.get<uint32_t>();
  header.page_bytes = reader.get<uint32_t>();
  return header;
}

bool all_zeros(BytesView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

Error corrupt_at(Lsn lsn, std::string_view thing, std::string_view what) {
  return {Errc::kCorrupt, fmt::format("WAL {} at {}: {}", thing, to_string(lsn), what)};
}

}  // namespace

struct WalParser::State {
  enum class Mode : uint8_t {
    kPageHeader,  // collecting `header`
    kPageBody,    // in records
    kIgnoring,    // to the end of the segment
  };

  Options options;
  Sink sink;
  Lsn start;

  Lsn position;
  Mode mode = Mode::kPageHeader;
  Bytes header;
  Bytes record;            // the beginning of the record under way, empty between records
  Lsn record_start;        // of that record
  uint32_t skip_left = 0;  // bytes of a record that began before we did
  // Nothing before `position` is known: the next page may begin inside a record we never saw.
  bool afresh = true;
  std::optional<Lsn> previous;  // what the next record must point back to
  std::optional<Lsn> aborted;   // the record that a page said is overwritten, until a record confirms it

  const WalVersion* version = nullptr;
  uint64_t system_identifier = 0;
  Timeline page_timeline = 0;
  Lsn last_start;
  Lsn last_end;
  bool at_end = false;
  bool first_record_skipped = false;
  std::optional<Error> failure;

  uint64_t page_left() const { return kWalPageBytes - position.value % kWalPageBytes; }
  uint64_t segment_left() const {
    return options.segment_size.bytes - options.segment_size.offset_of(position);
  }

  Status step(BytesView& input);
  BytesView take(BytesView& input, uint64_t most);
  void ignore(BytesView& input);
  void meet_end_of_log();

  Status read_header(BytesView& input);
  Status enter_page(const PageHeader& page);
  Status check_page(const PageHeader& page) const;
  Status check_long_header(const PageHeader& page) const;
  Status join_record(const PageHeader& page);

  Status read_body(BytesView& input);
  Status collect_record(BytesView& input);
  Status check_record_header(BytesView begun) const;
  Status finish_record(BytesView whole);
  Status deliver(BytesView whole, const RecordHeader& record_header);
};

// Cuts at most `most` bytes off the input, and goes on by as many.
BytesView WalParser::State::take(BytesView& input, uint64_t most) {
  const BytesView taken = input.first(std::min<uint64_t>(most, input.size()));
  input = input.subspan(taken.size());
  position = position + taken.size();
  return taken;
}

Status WalParser::State::step(BytesView& input) {
  switch (mode) {
    case Mode::kIgnoring:
      ignore(input);
      return {};
    case Mode::kPageHeader:
      return read_header(input);
    case Mode::kPageBody:
      break;
  }
  DR_OK(read_body(input));
  if (mode == Mode::kPageBody && position.value % kWalPageBytes == 0) mode = Mode::kPageHeader;
  return {};
}

void WalParser::State::ignore(BytesView& input) {
  take(input, segment_left());
  if (options.segment_size.offset_of(position) != 0) return;
  mode = Mode::kPageHeader;
  if (at_end) {
    afresh = true;
    previous.reset();
    aborted.reset();
  }
}

void WalParser::State::meet_end_of_log() {
  at_end = true;
  mode = Mode::kIgnoring;
  header.clear();
  record.clear();
  skip_left = 0;
  // The zeros may have ended with the segment.
  if (options.segment_size.offset_of(position) == 0) {
    BytesView nothing;
    ignore(nothing);
  }
}

Status WalParser::State::read_header(BytesView& input) {
  const size_t wanted = header.size() < kShortHeaderBytes ? kShortHeaderBytes : kLongHeaderBytes;
  const BytesView taken = take(input, wanted - header.size());
  header.insert(header.end(), taken.begin(), taken.end());
  if (header.size() < wanted) return {};
  if (all_zeros(header)) {
    meet_end_of_log();
    return {};
  }
  const PageHeader page = read_page_header(header);
  if (page.is_long() && header.size() < kLongHeaderBytes) return {};
  header.clear();
  return enter_page(page);
}

Status WalParser::State::enter_page(const PageHeader& page) {
  DR_OK(check_page(page));
  version = find_wal_version(page.magic);
  page_timeline = page.timeline;
  if (page.is_long()) system_identifier = page.system_identifier;
  at_end = false;
  DR_OK(join_record(page));
  afresh = false;
  mode = Mode::kPageBody;
  return {};
}

Status WalParser::State::check_page(const PageHeader& page) const {
  const Lsn here{(position.value - 1) / kWalPageBytes * kWalPageBytes};
  const auto bad = [&](std::string_view what) { return corrupt_at(here, "page", what); };
  if (!find_wal_version(page.magic)) {
    Error error = bad(fmt::format("unknown magic {:04X}", page.magic));
    error.hint = "PostgreSQL 13 to 17 are supported";
    return error;
  }
  if (version && version->page_magic != page.magic)
    return bad(fmt::format("magic {:04X} after pages with {:04X}", page.magic, version->page_magic));
  if (page.flags & ~kAllFlags) return bad(fmt::format("unknown flags {:04X}", page.flags));
  if (page.address != here)
    return bad(fmt::format("its header says it is the page at {}", to_string(page.address)));
  if (page.timeline == 0 || (!afresh && page.timeline < page_timeline))
    return bad(fmt::format("timeline {} after timeline {}", page.timeline, page_timeline));
  if (page.is_long()) return check_long_header(page);
  if (options.segment_size.offset_of(here) == 0) return bad("a segment's first page without a long header");
  return {};
}

Status WalParser::State::check_long_header(const PageHeader& page) const {
  const auto bad = [&](std::string_view what) { return corrupt_at(page.address, "page", what); };
  const uint64_t expected = options.system_identifier ? options.system_identifier : system_identifier;
  if (expected != 0 && page.system_identifier != expected)
    return bad(fmt::format("it belongs to system {}, not {}", page.system_identifier, expected));
  if (page.segment_bytes != options.segment_size.bytes)
    return bad(
        fmt::format("its segments have {} bytes, not {}", page.segment_bytes, options.segment_size.bytes));
  if (page.page_bytes != kWalPageBytes)
    return bad(fmt::format("its pages have {} bytes, not {}", page.page_bytes, kWalPageBytes));
  return {};
}

// Whether the page goes on where the one before left off.
Status WalParser::State::join_record(const PageHeader& page) {
  const auto bad = [&](std::string_view what) { return corrupt_at(page.address, "page", what); };
  if (page.overwrites_record()) {
    if (page.continues_record()) return bad("it both continues and overwrites a record");
    if (!record.empty()) aborted = record_start;
    record.clear();
    skip_left = 0;
    return {};
  }
  const uint64_t owed = record.empty() ? skip_left : load_le<uint32_t>(record.data()) - record.size();
  if (page.continues_record() && afresh) {
    if (page.remaining == 0) return bad("it continues a record by no bytes");
    skip_left = page.remaining;
    if (page.address == start) first_record_skipped = true;
    return {};
  }
  if (page.continues_record() && page.remaining != owed)
    return bad(fmt::format("it continues a record by {} bytes, {} are missing", page.remaining, owed));
  if (!page.continues_record() && owed != 0)
    return bad(fmt::format("it does not continue the record before, of which {} bytes are missing", owed));
  if (page.continues_record() && owed == 0) return bad("it continues a record, but none is open");
  return {};
}

Status WalParser::State::read_body(BytesView& input) {
  if (skip_left > 0) {
    skip_left -= static_cast<uint32_t>(take(input, std::min<uint64_t>(skip_left, page_left())).size());
    return {};
  }
  if (!record.empty()) return collect_record(input);
  if (const uint64_t over = position.value % kRecordAlignment; over != 0) {
    take(input, kRecordAlignment - over);
    return {};
  }
  record_start = position;
  // Most records lie whole in the input and on one page: those are read where they are.
  const BytesView here = input.first(std::min<uint64_t>(input.size(), page_left()));
  if (here.size() >= kRecordHeaderBytes) {
    const auto length = load_le<uint32_t>(here.data());
    if (length >= kRecordHeaderBytes && length <= here.size()) {
      DR_OK(check_record_header(here));
      return finish_record(take(input, length));
    }
  }
  return collect_record(input);
}

Status WalParser::State::collect_record(BytesView& input) {
  const bool header_whole = record.size() >= kRecordHeaderBytes;
  const uint64_t wanted = header_whole ? load_le<uint32_t>(record.data()) : kRecordHeaderBytes;
  const BytesView taken = take(input, std::min<uint64_t>(wanted - record.size(), page_left()));
  record.insert(record.end(), taken.begin(), taken.end());

  const bool page_ends = position.value % kWalPageBytes == 0;
  if (!header_whole && (record.size() >= kRecordHeaderBytes || page_ends)) {
    if (all_zeros(record)) {
      meet_end_of_log();
      return {};
    }
    DR_OK(check_record_header(record));
  }
  if (record.size() < kRecordHeaderBytes || record.size() < load_le<uint32_t>(record.data())) return {};
  const Bytes whole = std::exchange(record, {});
  return finish_record(whole);
}

// `begun` has at least the length, and the whole header unless the page ended within it.
Status WalParser::State::check_record_header(BytesView begun) const {
  const auto bad = [&](std::string_view what) { return corrupt_at(record_start, "record", what); };
  const auto length = load_le<uint32_t>(begun.data());
  if (length < kRecordHeaderBytes || length > kRecordBytesMax)
    return bad(fmt::format("its length is {}", length));
  if (begun.size() < kRecordHeaderBytes) return {};

  const Lsn back = read_record_header(begun).previous;
  if (back >= record_start)
    return bad(fmt::format("it points back to {}, which is not before it", to_string(back)));
  if (previous && back != *previous)
    return bad(fmt::format("it points back to {}, but the record before it is at {}", to_string(back),
                           to_string(*previous)));
  return {};
}

Status WalParser::State::finish_record(BytesView whole) {
  if (!record_crc_matches(whole)) return corrupt_at(record_start, "record", "its CRC does not match");
  const RecordHeader record_header = read_record_header(whole);
  const uint64_t over = position.value % kRecordAlignment;
  Lsn end = over == 0 ? position : position + (kRecordAlignment - over);
  if (is_segment_switch(record_header) && options.segment_size.offset_of(end) != 0) {
    end = position + segment_left();
    mode = Mode::kIgnoring;
  }
  if (aborted) {
    const auto named = aborted_record_named_by(whole, *version);
    if (named && *named != *aborted)
      return corrupt_at(record_start, "record",
                        fmt::format("it says that the record at {} was aborted, but it was the one at {}",
                                    to_string(*named), to_string(*aborted)));
    aborted.reset();
  }
  last_start = record_start;
  last_end = end;
  previous = record_start;
  return deliver(whole, record_header);
}

Status WalParser::State::deliver(BytesView whole, const RecordHeader& record_header) {
  if (!may_be_reported_by_kind(record_header) && !options.report_images && !options.report_other) return {};
  auto event = decode_record(whole, *version);
  if (!event.ok()) return corrupt_at(record_start, "record", event.error().what);
  if (!options.report_images) {
    event->images.clear();
    if (event->kind == WalEvent::Kind::kFullPageImages) event->kind = WalEvent::Kind::kOther;
  }
  if (event->kind == WalEvent::Kind::kOther && !options.report_other) return {};
  event->start = last_start;
  event->end = last_end;
  sink(*event);
  return {};
}

WalParser::WalParser(Options options, Lsn start, Sink sink) : state_(std::make_unique<State>()) {
  DR_CHECK(options.segment_size.valid());
  DR_CHECK(options.segment_size.offset_of(start) == 0);
  state_->options = options;
  state_->sink = std::move(sink);
  state_->start = start;
  state_->position = start;
}
WalParser::~WalParser() = default;
WalParser::WalParser(WalParser&&) noexcept = default;
WalParser& WalParser::operator=(WalParser&&) noexcept = default;

Status WalParser::feed(BytesView bytes) {
  State& state = *state_;
  if (state.failure) return *state.failure;
  while (!bytes.empty()) {
    Status status = state.step(bytes);
    if (status.ok()) continue;
    state.failure = std::move(status).error();
    return *state.failure;
  }
  return {};
}

Lsn WalParser::position() const { return state_->position; }
Lsn WalParser::last_record_end() const { return state_->last_end; }
Lsn WalParser::last_record_start() const { return state_->last_start; }
bool WalParser::at_end() const { return state_->at_end; }
bool WalParser::first_record_skipped() const { return state_->first_record_skipped; }
uint64_t WalParser::system_identifier() const { return state_->system_identifier; }
Timeline WalParser::page_timeline() const { return state_->page_timeline; }

}  // namespace daruma::postgres
