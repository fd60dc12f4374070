// Fuzzes the tar reader.
//
// Input:  a byte for the size of the pieces fed, whose top bit asks for right checksums in everything that
//         looks like a header, so that the fuzzer reaches what lies behind them; then an archive.
// Checks: whatever the pieces, the same members; no name leaves the archive; a file that ended had all its
//         bytes; errors are kCorrupt.
#include <string>

#include "datastore/postgres/tar_reader.h"
#include "fmt/format.h"
#include "fuzz.h"

namespace daruma::postgres {
namespace {

class Transcript final : public TarSink {
 public:
  Status begin(const TarMember& member) override {
    FUZZ_CHECK(!open_);
    FUZZ_CHECK(!member.name.empty() && member.name[0] != '/');
    FUZZ_CHECK(("/" + member.name + "/").find("/../") == std::string::npos);
    FUZZ_CHECK(member.type == TarMember::Type::kFile || member.size == 0);
    FUZZ_CHECK(member.mode <= 07777);
    open_ = true;
    left_ = member.size;
    text += fmt::format("{} {} {} {} {} {}\n", static_cast<int>(member.type), member.name, member.target,
                        member.size, member.mode, member.modified.micros);
    return {};
  }
  Status data(BytesView bytes) override {
    FUZZ_CHECK(open_ && !bytes.empty() && bytes.size() <= left_);
    left_ -= bytes.size();
    text += as_text(bytes);
    return {};
  }
  Status end() override {
    FUZZ_CHECK(open_ && left_ == 0);
    open_ = false;
    return {};
  }

  std::string text;

 private:
  bool open_ = false;
  uint64_t left_ = 0;
};

std::string read(BytesView archive, size_t piece) {
  Transcript out;
  TarReader reader(out);
  Status status;
  while (!archive.empty() && status.ok()) {
    const BytesView now = archive.first(std::min(piece, archive.size()));
    archive = archive.subspan(now.size());
    status = reader.feed(now);
  }
  if (status.ok()) status = reader.finish();
  FUZZ_CHECK(status.ok() || status.is(Errc::kCorrupt));
  return out.text + (status.ok() ? "good" : "corrupt");
}

void seal_headers(Bytes& archive) {
  constexpr size_t kBlock = 512, kChecksum = 148, kMagic = 257;
  for (size_t at = 0; at + kBlock <= archive.size(); at += kBlock) {
    const std::span<std::byte> header = std::span(archive).subspan(at, kBlock);
    if (!as_text(header.subspan(kMagic)).starts_with("ustar")) continue;
    unsigned sum = 8 * ' ';
    for (size_t i = 0; i < kBlock; ++i) {
      if (i < kChecksum || i >= kChecksum + 8) sum += std::to_integer<unsigned>(header[i]);
    }
    const std::string digits = fmt::format("{:07o} ", sum);
    std::memcpy(&header[kChecksum], digits.data(), digits.size());
  }
}

}  // namespace
}  // namespace daruma::postgres

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace daruma;
  if (size == 0) return 0;
  Bytes archive = to_bytes(as_bytes({reinterpret_cast<const char*>(data) + 1, size - 1}));
  if (data[0] & 0x80) postgres::seal_headers(archive);
  const size_t piece = (data[0] & 0x7f) * 8 + 1;
  FUZZ_CHECK(postgres::read(archive, piece) == postgres::read(archive, archive.size() + 1));
  return 0;
}
