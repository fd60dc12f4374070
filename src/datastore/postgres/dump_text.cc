#include "datastore/postgres/dump_text.h"

#include <fmt/format.h>
#include <zlib.h>

#include "base/size.h"

namespace daruma::postgres {
namespace {

constexpr size_t kPiece = 256 * kKiB;

class PlainText final : public DumpText {
 public:
  PlainText(std::unique_ptr<File> file, uint64_t size)
      : file_(std::move(file)), size_(size), piece_(kPiece) {}

  Result<std::string_view> next() override {
    DR_TRY(const size_t got, file_->read_at(at_, piece_));
    at_ += got;
    return as_text(BytesView(piece_).first(got));
  }
  uint64_t bytes_read() const override { return at_; }
  uint64_t bytes_total() const override { return size_; }

 private:
  std::unique_ptr<File> file_;
  uint64_t size_;
  uint64_t at_ = 0;
  Bytes piece_;
};

class GzipText final : public DumpText {
 public:
  GzipText(std::unique_ptr<PlainText> packed, Path path)
      : packed_(std::move(packed)), path_(std::move(path)), piece_(kPiece, '\0') {
    constexpr int kGzip = 16;
    DR_CHECK(::inflateInit2(&stream_, kGzip + MAX_WBITS) == Z_OK);
  }
  ~GzipText() override { ::inflateEnd(&stream_); }

  Result<std::string_view> next() override {
    stream_.next_out = reinterpret_cast<Bytef*>(piece_.data());
    stream_.avail_out = static_cast<uInt>(piece_.size());
    while (stream_.avail_out > 0) {
      if (stream_.avail_in == 0) {
        DR_TRY(const bool more, refill());
        if (!more) break;
      }
      if (between_members_) {  // gzip files may be joined
        DR_CHECK(::inflateReset(&stream_) == Z_OK);
        between_members_ = false;
      }
      const int state = ::inflate(&stream_, Z_NO_FLUSH);
      if (state == Z_STREAM_END)
        between_members_ = true;
      else if (state != Z_OK)
        return damaged(stream_.msg == nullptr ? "not gzip" : stream_.msg);
    }
    const size_t got = piece_.size() - stream_.avail_out;
    if (got == 0 && !between_members_) return damaged("it is cut off");
    return std::string_view(piece_).substr(0, got);
  }
  uint64_t bytes_read() const override { return packed_->bytes_read(); }
  uint64_t bytes_total() const override { return packed_->bytes_total(); }

 private:
  Result<bool> refill() {
    DR_TRY(const std::string_view packed, packed_->next());
    // zlib does not write through next_in; its type only says so when zlib is told.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream_.avail_in = static_cast<uInt>(packed.size());
    return !packed.empty();
  }
  Error damaged(std::string_view why) const {
    return {Errc::kCorrupt, fmt::format("{} cannot be gunzipped: {}", path_.string(), why),
            "take an older dump, or another copy of this one"};
  }

  std::unique_ptr<PlainText> packed_;
  Path path_;
  std::string piece_;
  z_stream stream_{};
  bool between_members_ = false;
};

}  // namespace

Result<std::unique_ptr<DumpText>> DumpText::open(FileSystem& fs, const Path& path) {
  DR_TRY(auto file, fs.open_read(path));
  DR_TRY(const uint64_t size, file->size());
  auto plain = std::make_unique<PlainText>(std::move(file), size);
  if (path.extension() != ".gz") return std::unique_ptr<DumpText>(std::move(plain));
  return std::unique_ptr<DumpText>(std::make_unique<GzipText>(std::move(plain), path));
}

}  // namespace daruma::postgres
