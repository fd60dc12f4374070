#include "repository/envelope.h"

#include <fmt/format.h>

#include "repository/aead.h"

namespace daruma {
namespace {

constexpr std::string_view kMagic = "DARUMA\r\n";
constexpr uint8_t kWrapAesGcm = 1;
constexpr size_t kSizeOffset = 12;
constexpr size_t kWrappedSize = 12 + SecretKey::kSize + kAeadTagSize;
constexpr uint32_t kHeaderMin = 52 + 2 + 4 + kWrappedSize;
constexpr uint32_t kHeaderMax = 256u << 20;

AeadNonce nonce_of(uint64_t offset) {
  AeadNonce nonce{};
  store_le(nonce.data(), offset);
  return nonce;
}

std::array<std::byte, 37> record_binding(const RepositoryId& repository, ObjectType type, const ObjectId& id,
                                         uint32_t size) {
  std::array<std::byte, 37> out;
  std::copy(repository.bytes.begin(), repository.bytes.end(), out.begin());
  out[16] = static_cast<std::byte>(type);
  std::copy(id.bytes.begin(), id.bytes.end(), out.begin() + 17);
  store_le(out.data() + 33, size);
  return out;
}

void put_names(ByteWriter& out, const std::vector<std::string>& names) {
  out.put(static_cast<uint8_t>(names.size()));
  for (const std::string& name : names) {
    out.put(static_cast<uint8_t>(name.size()));
    out.put_bytes(as_bytes(name));
  }
}

std::vector<std::string> get_names(ByteReader& in) {
  std::vector<std::string> names(in.get<uint8_t>());
  for (std::string& name : names) {
    const auto size = in.get<uint8_t>();
    name = as_text(in.get_bytes(size));
  }
  return names;
}

Bytes bound_to_name(BytesView header, const std::string& name) {
  Bytes out = to_bytes(header);
  const BytesView bytes = as_bytes(name);
  out.insert(out.end(), bytes.begin(), bytes.end());
  return out;
}

}  // namespace

ObjectSealer::ObjectSealer(const Keys& keys, Random& random, ObjectType type, const ObjectId& id,
                           const std::string& name, BytesView clear_section, const Features& features)
    : repository_(keys.repository()), type_(type), id_(id) {
  random.fill(key_.writable());
  ByteWriter out;
  out.put_bytes(as_bytes(kMagic));
  out.put(kFormatVersion);
  out.put(static_cast<uint8_t>(type));
  out.put(kWrapAesGcm);
  out.put(uint32_t{0});  // the header's size, when it is known
  out.put(keys.epoch());
  out.put_bytes(keys.repository().view());
  out.put_bytes(id.view());
  put_names(out, features.required);
  put_names(out, features.optional);
  out.put(static_cast<uint32_t>(clear_section.size()));
  out.put_bytes(clear_section);
  bytes_ = out.take();
  store_le(bytes_.data() + kSizeOffset, static_cast<uint32_t>(bytes_.size() + kWrappedSize));

  AeadNonce nonce;
  random.fill(nonce);
  const Bytes additional = bound_to_name(bytes_, name);
  bytes_.insert(bytes_.end(), nonce.begin(), nonce.end());
  seal_append(bytes_, keys.wrap_key(), nonce, additional, key_.view());
}

ObjectSealer::Placed ObjectSealer::append(BytesView plain) {
  DR_CHECK(!plain.empty() && plain.size() + kAeadTagSize <= kRecordSizeMax);
  const Placed placed{size(), static_cast<uint32_t>(plain.size() + kAeadTagSize)};
  const size_t at = bytes_.size();
  bytes_.resize(at + kRecordPrefix);
  store_le(bytes_.data() + at, placed.size);
  seal_append(bytes_, key_, nonce_of(placed.offset), record_binding(repository_, type_, id_, placed.size),
              plain);
  return placed;
}

Bytes ObjectSealer::take_new() {
  taken_ += bytes_.size();
  return std::exchange(bytes_, {});
}

Result<uint32_t> ObjectOpener::header_size(BytesView first_bytes) {
  if (first_bytes.size() < kSizeOffset + 4 || as_text(first_bytes.first(kMagic.size())) != kMagic)
    return Error{Errc::kCorrupt, "not a Daruma object: its first bytes are wrong"};
  const auto version = load_le<uint16_t>(first_bytes.data() + 8);
  if (version != kFormatVersion)
    return Error{
        Errc::kInvalid,
        fmt::format("format version {} is not known to this program (it knows {})", version, kFormatVersion),
        "use a newer daruma"};
  const auto size = load_le<uint32_t>(first_bytes.data() + kSizeOffset);
  if (size < kHeaderMin || size > kHeaderMax) return Error{Errc::kCorrupt, "its header's size is impossible"};
  return size;
}

Result<ObjectOpener> ObjectOpener::open(const Keys& keys, ObjectType type, const std::string& name,
                                        BytesView bytes) {
  DR_TRY(const uint32_t size, header_size(bytes));
  if (bytes.size() < size) return Error{Errc::kCorrupt, "it ends inside its header"};

  ObjectOpener out;
  out.repository_ = keys.repository();
  out.type_ = type;
  out.header_bytes_ = size;
  const BytesView clear_header = bytes.first(size - kWrappedSize);
  ByteReader in(clear_header.subspan(10));
  const auto stored_type = in.get<uint8_t>();
  const auto wrap = in.get<uint8_t>();
  in.get<uint32_t>();
  const auto epoch = in.get<uint32_t>();
  const auto repository = in.get_array<16>();
  out.id_.bytes = in.get_array<16>();
  out.features_.required = get_names(in);
  out.features_.optional = get_names(in);
  const auto clear_size = in.get<uint32_t>();
  out.clear_ = to_bytes(in.get_bytes(clear_size));
  if (!in.at_end()) return Error{Errc::kCorrupt, "its header is damaged"};
  if (repository != keys.repository().bytes)
    return Error{Errc::kInvalid,
                 fmt::format("it belongs to repository {}, and the key to {}", to_hex(repository),
                             keys.repository().hex()),
                 "use the key file of this repository"};
  if (!out.features_.required.empty())  // this version knows none
    return Error{Errc::kInvalid,
                 fmt::format("it requires the feature '{}', which this program does not know",
                             out.features_.required.front()),
                 "use a newer daruma"};
  if (wrap != kWrapAesGcm || epoch != keys.epoch())
    return Error{Errc::kInvalid, fmt::format("it is sealed for key epoch {}, and the key is of epoch {}",
                                             epoch, keys.epoch())};

  const BytesView wrapped = bytes.subspan(size - kWrappedSize, kWrappedSize);
  AeadNonce nonce;
  std::copy_n(wrapped.begin(), nonce.size(), nonce.begin());
  const auto key =
      open_sealed(keys.wrap_key(), nonce, bound_to_name(clear_header, name), wrapped.subspan(nonce.size()));
  if (!key.ok() || stored_type != static_cast<uint8_t>(type))
    return Error{Errc::kCorrupt,
                 "its header does not verify: damaged, another object under this name, or a wrong key"};
  out.key_ = SecretKey(*key);
  return out;
}

Result<Bytes> ObjectOpener::record(uint64_t offset, BytesView bytes) const {
  const Error corrupt{Errc::kCorrupt, fmt::format("the record at offset {} is damaged", offset)};
  if (bytes.size() < kRecordPrefix) return corrupt;
  const auto size = load_le<uint32_t>(bytes.data());
  if (size <= kAeadTagSize || size > kRecordSizeMax || size > bytes.size() - kRecordPrefix) return corrupt;
  auto plain = open_sealed(key_, nonce_of(offset), record_binding(repository_, type_, id_, size),
                           bytes.subspan(kRecordPrefix, size));
  if (!plain.ok()) return corrupt;
  return plain;
}

Result<Bytes> RecordCursor::next() {
  const BytesView rest = object_.subspan(at_);
  DR_TRY(Bytes plain, opener_.record(at_, rest));
  at_ += kRecordPrefix + load_le<uint32_t>(rest.data());
  return plain;
}

}  // namespace daruma
