#include "support/recording.h"

#include <zstd.h>

#include <cstdio>

#include "base/size.h"
#include "datastore/postgres/tar_reader.h"
#include "os/files.h"

namespace daruma {

namespace {

constexpr uint64_t kLargest = 256 * kMiB;
constexpr int kLevel = 19;

Result<postgres::ServerRecording> load(const Path& path) {
  DR_TRY(const Bytes packed, read_file(*real_file_system(), path, kLargest));
  const unsigned long long size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (size > kLargest) return Error{Errc::kCorrupt, "not a zstd frame of a size it could have"};
  Bytes bytes(size);
  if (ZSTD_decompress(bytes.data(), bytes.size(), packed.data(), packed.size()) != size) {
    return Error{Errc::kCorrupt, "the zstd frame is damaged"};
  }
  return postgres::decode_recording(bytes);
}

class Collector final : public postgres::TarSink {
 public:
  explicit Collector(std::map<std::string, Bytes>& files) : files_(files) {}
  Status begin(const postgres::TarMember& member) override {
    file_ = member.type == postgres::TarMember::Type::kFile ? &files_[member.name] : nullptr;
    return {};
  }
  Status data(BytesView bytes) override {
    if (file_) file_->insert(file_->end(), bytes.begin(), bytes.end());
    return {};
  }
  Status end() override { return {}; }

 private:
  std::map<std::string, Bytes>& files_;
  Bytes* file_ = nullptr;
};

}  // namespace

std::map<std::string, Bytes> files_in(BytesView archive) {
  std::map<std::string, Bytes> files;
  Collector collector(files);
  postgres::TarReader reader(collector);
  DR_CHECK(reader.feed(archive).ok() && reader.finish().ok());
  return files;
}

postgres::ServerRecording load_recording(const std::string& name) {
  const Path path = Path(DARUMA_TEST_DATA) / "replication" / (name + ".rec");
  auto recording = load(path);
  if (!recording.ok()) {
    std::fprintf(stderr, "%s: %s\n", path.c_str(), recording.error().what.c_str());
    std::abort();
  }
  return *std::move(recording);
}

Status store_recording(FileSystem& fs, const Path& path, const postgres::ServerRecording& recording) {
  const Bytes bytes = encode_recording(recording);
  Bytes packed(ZSTD_compressBound(bytes.size()));
  const size_t size = ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), kLevel);
  if (ZSTD_isError(size)) return Error{Errc::kFailed, std::string("zstd: ") + ZSTD_getErrorName(size)};
  return replace_file(fs, path, BytesView(packed).first(size), 0644);
}

}  // namespace daruma
