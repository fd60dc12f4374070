#include "datastore/postgres/tar_reader.h"

#include <algorithm>
#include <array>
#include <optional>

#include "fmt/format.h"

namespace daruma::postgres {

namespace {

constexpr size_t kBlock = 512;

struct Field {
  size_t at;
  size_t size;
};
constexpr Field kName{0, 100};
constexpr Field kMode{100, 8};
constexpr Field kSize{124, 12};
constexpr Field kModified{136, 12};
constexpr Field kChecksum{148, 8};
constexpr size_t kType = 156;
constexpr Field kTarget{157, 100};
constexpr Field kMagic{257, 5};
constexpr Field kPrefix{345, 155};

using Header = std::span<const std::byte, kBlock>;

std::string_view field(Header header, Field where) { return as_text(header.subspan(where.at, where.size)); }

// A text field ends at its first NUL, or fills its room.
std::string text(Header header, Field where) {
  const std::string_view room = field(header, where);
  return std::string(room.substr(0, room.find('\0')));
}

// Octal digits between blanks and NULs, or, with the top bit of the first byte set, big-endian base 256.
std::optional<uint64_t> number(Header header, Field where) {
  const std::string_view room = field(header, where);
  const auto first = static_cast<unsigned char>(room[0]);
  uint64_t value = 0;
  if (first & 0x80) {
    if (first != 0x80) return std::nullopt;  // negative, or more than 64 bits can hold
    for (const char c : room.substr(1)) {
      if (value >> 55 != 0) return std::nullopt;
      value = value << 8 | static_cast<unsigned char>(c);
    }
    return value;
  }
  size_t at = room.find_first_not_of(' ');
  bool any = false;
  for (; at < room.size() && room[at] >= '0' && room[at] <= '7'; ++at, any = true) {
    value = value << 3 | static_cast<uint64_t>(room[at] - '0');
  }
  const bool ended = at >= room.size() || room[at] == ' ' || room[at] == '\0';
  return any && ended ? std::optional(value) : std::nullopt;
}

bool all_zero(BytesView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

uint64_t checksum(Header header) {
  uint64_t sum = kChecksum.size * ' ';  // the field itself counts as blanks
  for (size_t i = 0; i < kBlock; ++i) {
    if (i < kChecksum.at || i >= kChecksum.at + kChecksum.size) sum += std::to_integer<unsigned>(header[i]);
  }
  return sum;
}

Error corrupt(const std::string& what) { return {Errc::kCorrupt, "tar archive: " + what}; }

// A name a sink may append to its directory: relative, no component empty, "." or "..".
Result<std::string> safe_name(std::string name) {
  const std::string given = name;
  if (name.starts_with("./")) name.erase(0, 2);
  if (name.ends_with('/')) name.pop_back();
  size_t from = 0;
  while (from <= name.size()) {
    const size_t to = std::min(name.find('/', from), name.size());
    const std::string_view part = std::string_view(name).substr(from, to - from);
    if (part.empty() || part == "." || part == "..") {
      return corrupt(fmt::format("member name '{}' leaves the archive or is not plain", given));
    }
    from = to + 1;
  }
  return name;
}

Result<TarMember::Type> member_type(char flag, const std::string& name) {
  switch (flag) {
    case '0':
    case '\0':
      return TarMember::Type::kFile;
    case '5':
      return TarMember::Type::kDirectory;
    case '2':
      return TarMember::Type::kSymlink;
    default:
      return corrupt(fmt::format("member '{}' has the unknown type {:#04x}", name, flag));
  }
}

Result<TarMember> parse_header(Header header) {
  const auto sum = number(header, kChecksum);
  if (!sum || *sum != checksum(header)) return corrupt("a header's checksum does not match");
  if (field(header, kMagic) != "ustar") return corrupt("a header is not of the ustar kind");

  TarMember member;
  const std::string prefix = text(header, kPrefix);
  std::string name = text(header, kName);
  if (!prefix.empty()) name = prefix + "/" + name;
  DR_TRY(member.name, safe_name(std::move(name)));
  DR_TRY(member.type, member_type(static_cast<char>(header[kType]), member.name));

  const auto size = number(header, kSize);
  const auto mode = number(header, kMode);
  const auto modified = number(header, kModified);
  if (!size || *size > INT64_MAX || !mode || !modified || *modified > INT64_MAX / 1'000'000) {
    return corrupt(fmt::format("member '{}' has a size, mode or time that is no number", member.name));
  }
  member.size = *size;
  member.mode = static_cast<uint32_t>(*mode & 07777);
  member.modified = {static_cast<int64_t>(*modified) * 1'000'000};
  if (member.type == TarMember::Type::kSymlink) member.target = text(header, kTarget);
  if (member.type == TarMember::Type::kSymlink && member.target.empty()) {
    return corrupt(fmt::format("symbolic link '{}' points nowhere", member.name));
  }
  if (member.type != TarMember::Type::kFile && member.size != 0) {
    return corrupt(fmt::format("member '{}' is no file, but carries {} bytes", member.name, member.size));
  }
  return member;
}

}  // namespace

struct TarReader::State {
  explicit State(TarSink& to) : sink(to) {}

  enum class Phase : uint8_t { kHeader, kData, kPadding, kOver };

  TarSink& sink;
  Phase phase = Phase::kHeader;
  std::array<std::byte, kBlock> header{};  // its first `header_size` bytes, when it came in pieces
  size_t header_size = 0;
  std::string name;   // of the member being read
  uint64_t left = 0;  // of its data or padding
  uint64_t padding = 0;
  std::optional<Error> failed;

  Status step(BytesView& bytes);
  Status take_header(BytesView& bytes);
  Status begin(Header bytes);
  Status end_data();
};

Status TarReader::State::step(BytesView& bytes) {
  switch (phase) {
    case Phase::kHeader:
      return take_header(bytes);
    case Phase::kData: {
      const BytesView piece = bytes.first(std::min<uint64_t>(left, bytes.size()));
      bytes = bytes.subspan(piece.size());
      left -= piece.size();
      DR_OK(sink.data(piece));
      return left == 0 ? end_data() : Status();
    }
    case Phase::kPadding: {
      const size_t skip = std::min<uint64_t>(left, bytes.size());
      bytes = bytes.subspan(skip);
      left -= skip;
      if (left == 0) phase = Phase::kHeader;
      return {};
    }
    case Phase::kOver:
      if (!all_zero(bytes)) return corrupt("bytes follow the end of the archive");
      bytes = {};
      return {};
  }
  return {};
}

Status TarReader::State::take_header(BytesView& bytes) {
  if (header_size == 0 && bytes.size() >= kBlock) {  // the usual case: no copy
    const Header whole = bytes.first<kBlock>();
    bytes = bytes.subspan(kBlock);
    return begin(whole);
  }
  const size_t piece = std::min(kBlock - header_size, bytes.size());
  std::copy_n(bytes.begin(), piece, header.begin() + static_cast<std::ptrdiff_t>(header_size));
  bytes = bytes.subspan(piece);
  header_size += piece;
  if (header_size < kBlock) return {};
  header_size = 0;
  return begin(header);
}

Status TarReader::State::begin(Header bytes) {
  if (all_zero(bytes)) {
    phase = Phase::kOver;
    return {};
  }
  DR_TRY(const TarMember member, parse_header(bytes));
  name = member.name;
  left = member.size;
  padding = (kBlock - member.size % kBlock) % kBlock;
  DR_OK(sink.begin(member));
  phase = Phase::kData;
  return left == 0 ? end_data() : Status();
}

Status TarReader::State::end_data() {
  left = padding;
  phase = left == 0 ? Phase::kHeader : Phase::kPadding;
  return sink.end();
}

TarReader::TarReader(TarSink& sink) : state_(std::make_unique<State>(sink)) {}
TarReader::~TarReader() = default;

Status TarReader::feed(BytesView bytes) {
  if (state_->failed) return *state_->failed;
  while (!bytes.empty()) {
    if (Status status = state_->step(bytes); !status.ok()) {
      state_->failed = status.error();
      return status;
    }
  }
  return {};
}

Status TarReader::finish() {
  if (state_->failed) return *state_->failed;
  if (state_->phase == State::Phase::kData || state_->phase == State::Phase::kPadding) {
    return corrupt(
        fmt::format("it ends inside member '{}', {} bytes early", state_->name,
                    state_->phase == State::Phase::kData ? state_->left + state_->padding : state_->left));
  }
  if (state_->header_size != 0) return corrupt("it ends inside a header");
  return {};
}

}  // namespace daruma::postgres
