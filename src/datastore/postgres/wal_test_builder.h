// datastore/postgres/wal_test_builder.h: for tests, writes WAL as a server would: records, pages, segments.
//
// Order:   records are appended; each points back to the one before. Headers appear where pages begin.
// Threads: one at a time.
#pragma once

#include <algorithm>
#include <string_view>

#include "base/bytes.h"
#include "datastore/postgres/lsn.h"
#include "datastore/postgres/wal_parser.h"

namespace daruma::postgres {

class WalTestBuilder {
 public:
  static constexpr uint64_t kPageBytes = 8192;
  static constexpr uint64_t kSystem = 7672903052103712769;
  static constexpr uint16_t kMagic14 = 0xD10D, kMagic15 = 0xD110;

  explicit WalTestBuilder(Lsn start = {1 << 20}, uint16_t magic = kMagic15) : start_(start), magic_(magic) {}

  const Bytes& bytes() const { return out_; }
  Lsn position() const { return start_ + out_.size(); }
  uint64_t page_left() const { return kPageBytes - position().value % kPageBytes; }
  SegmentSize segment_size() const { return {1 << 20}; }
  void set_timeline(Timeline timeline) { timeline_ = timeline; }

  // Appends a record whose parts (headers and bytes) are `body`. Returns where it starts.
  Lsn record(uint8_t manager, uint8_t info, uint32_t xid, BytesView body) {
    begin_record();
    const Lsn at = position();
    const Bytes whole = assemble(manager, info, xid, body);
    write(whole, whole.size());
    previous_ = at;
    return at;
  }
  // Appends only the first `written` bytes of a record, as a crash leaves it. The next record does not point
  // back to it.
  Lsn torn_record(BytesView body, size_t written) {
    begin_record();
    const Lsn at = position();
    const Bytes whole = assemble(10, 0, 1, body);
    write(whole, written);
    return at;
  }
  // After torn_record: fills the page with zeros and starts the next one as a server does after that crash.
  void overwrite_from_next_page() {
    zeros(page_left() % kPageBytes);
    page_header(kFirstIsOverwriteContrecord, 0);
  }

  // Main data with its header, the only part of most records.
  static Bytes main_data(BytesView data) {
    ByteWriter out;
    if (data.size() < 256) {
      out.put<uint8_t>(255);
      out.put(static_cast<uint8_t>(data.size()));
    } else {
      out.put<uint8_t>(254);
      out.put(static_cast<uint32_t>(data.size()));
    }
    out.put_bytes(data);
    return out.take();
  }
  static uint64_t timestamp(Instant time) { return static_cast<uint64_t>(time.micros - 946'684'800'000'000); }

  Lsn commit(uint32_t xid, Instant time) { return transaction(0x00, xid, time); }
  Lsn abort(uint32_t xid, Instant time) { return transaction(0x20, xid, time); }
  Lsn transaction(uint8_t info, uint32_t xid, Instant time, BytesView rest = {}) {
    ByteWriter data;
    data.put(timestamp(time));
    data.put_bytes(rest);
    return record(1, info, xid, main_data(data.view()));
  }
  Lsn restore_point(std::string_view name, Instant time) {
    ByteWriter data;
    data.put(timestamp(time));
    Bytes padded(64);
    std::copy_n(as_bytes(name).begin(), std::min<size_t>(name.size(), 63), padded.begin());
    data.put_bytes(padded);
    return record(0, 0x70, 0, main_data(data.view()));
  }
  // A record nobody asks for, of about `size` bytes.
  Lsn other(size_t size) {
    const Bytes data(size, std::byte{0x5A});
    return record(10, 0, 3, main_data(data));
  }
  // The record that ends a segment, and the zeros behind it.
  Lsn switch_segment() {
    const Lsn at = record(0, 0x40, 0, {});
    zeros(segment_left());
    return at;
  }
  void zeros(uint64_t count) { out_.resize(out_.size() + count); }
  uint64_t segment_left() const {
    const uint64_t offset = segment_size().offset_of(position());
    return offset == 0 ? 0 : segment_size().bytes - offset;
  }
  // Appends records until `left` bytes remain on a page. `left` is a multiple of 8, not more than 4096.
  void fill_page_until(uint64_t left) {
    begin_record();
    constexpr uint64_t kAround = 24 + 5;  // headers of record and long main data
    if (page_left() < left + kAround + 256) other(page_left() + 512);
    begin_record();
    other(page_left() - left - kAround);
    align();
  }

 private:
  static constexpr uint16_t kFirstIsContrecord = 1, kLongHeader = 2, kFirstIsOverwriteContrecord = 8;

  void align() { zeros((8 - position().value % 8) % 8); }
  void begin_record() {
    align();
    if (position().value % kPageBytes == 0) page_header(0, 0);
  }
  void page_header(uint16_t flags, uint64_t remaining) {
    const bool is_long = segment_size().offset_of(position()) == 0;
    ByteWriter out;
    out.put(magic_);
    out.put(static_cast<uint16_t>(flags | (is_long ? kLongHeader : 0)));
    out.put(timeline_);
    out.put(position().value);
    out.put(static_cast<uint32_t>(remaining));
    out.put<uint32_t>(0);
    if (is_long) {
      out.put(kSystem);
      out.put(static_cast<uint32_t>(segment_size().bytes));
      out.put(static_cast<uint32_t>(kPageBytes));
    }
    out_.insert(out_.end(), out.view().begin(), out.view().end());
  }
  Bytes assemble(uint8_t manager, uint8_t info, uint32_t xid, BytesView body) const {
    ByteWriter head;
    head.put(static_cast<uint32_t>(24 + body.size()));
    head.put(xid);
    head.put(previous_.value);
    head.put(info);
    head.put(manager);
    head.put<uint16_t>(0);
    const uint32_t crc = crc32c(head.view(), crc32c(body));
    head.put(crc);
    head.put_bytes(body);
    return head.take();
  }
  void write(BytesView whole, size_t most) {
    size_t done = 0;
    while (done < most) {
      if (position().value % kPageBytes == 0) page_header(kFirstIsContrecord, whole.size() - done);
      const size_t piece = std::min<uint64_t>(most - done, page_left());
      const BytesView bytes = whole.subspan(done, piece);
      out_.insert(out_.end(), bytes.begin(), bytes.end());
      done += piece;
    }
  }

  Lsn start_;
  uint16_t magic_;
  Timeline timeline_ = 1;
  Lsn previous_;
  Bytes out_;
};

}  // namespace daruma::postgres
