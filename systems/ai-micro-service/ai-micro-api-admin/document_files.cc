#include "ai-micro-api-admin/document_files.h"

#include <openssl/evp.h>

#include "library/common.h"
#include "os/files.h"

namespace aimicro {

using daruma::Bytes;
using daruma::BytesView;
using daruma::Errc;
using daruma::Error;
using daruma::Path;
using daruma::Result;
using daruma::Status;

namespace {

constexpr size_t kPiece = 256 << 10;

struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

Result<std::string> sha256_of(const daruma::File& file) {
  const std::unique_ptr<EVP_MD_CTX, FreeDigest> context(EVP_MD_CTX_new());
  DR_CHECK(EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1);
  Bytes piece(kPiece);
  for (uint64_t offset = 0;;) {
    DR_TRY(const size_t got, file.read_at(offset, piece));
    if (got == 0) break;
    DR_CHECK(EVP_DigestUpdate(context.get(), piece.data(), got) == 1);
    offset += got;
  }
  Bytes digest(32);
  unsigned size = 0;
  DR_CHECK(EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(digest.data()), &size) == 1);
  return daruma::to_hex(digest);
}

}  // namespace

Path DocumentFiles::path_of(const std::string& id) const {
  DR_CHECK(is_uuid(id));
  return root_ / id.substr(0, 2) / id;
}

Status DocumentFiles::write(const Path& path, BytesView body) {
  DR_TRY(const auto file, fs_.create(path));
  DR_OK(file->write_at(0, body));
  return file->sync();
}

Status DocumentFiles::put(const std::string& id, BytesView body) {
  const Path path = path_of(id);
  DR_OK(create_dirs(fs_, path.parent_path()));
  const Path part = path.string() + ".part";
  Status done = write(part, body);
  if (done.ok()) done = fs_.link(part, path);
  const Status removed = fs_.remove_file(part);
  DR_OK(done);
  DR_OK(removed);
  return fs_.sync_dir(path.parent_path());
}

Status DocumentFiles::check(const std::string& id, uint64_t size, const std::string& sha256) const {
  const Path path = path_of(id);
  DR_TRY(const auto file, fs_.open_read(path));
  DR_TRY(const uint64_t there, file->size());
  if (there != size)
    return Error{Errc::kCorrupt, "document " + id + ": its file has " + std::to_string(there) +
                                     " bytes, its row says " + std::to_string(size)};
  DR_TRY(const std::string hash, sha256_of(*file));
  if (hash != sha256)
    return Error{Errc::kCorrupt, "document " + id + ": its file has another hash than its row"};
  return {};
}

Status DocumentFiles::remove(const std::string& id) {
  const Path path = path_of(id);
  const Status removed = fs_.remove_file(path);
  if (removed.is(Errc::kNotFound)) return {};
  DR_OK(removed);
  return fs_.sync_dir(path.parent_path());
}

Result<DocumentFiles::Found> DocumentFiles::all() const {
  Found found;
  DR_TRY(const bool there, exists(fs_, root_));
  if (!there) return found;
  DR_TRY(const auto folders, fs_.list_dir(root_));
  for (const auto& folder : folders) {
    if (folder.type != daruma::FileType::kDirectory) {
      found.strangers.push_back(root_ / folder.name);
      continue;
    }
    DR_TRY(const auto entries, fs_.list_dir(root_ / folder.name));
    for (const auto& entry : entries)
      if (is_uuid(entry.name) && entry.name.starts_with(folder.name))
        found.ids.push_back(entry.name);
      else
        found.strangers.push_back(root_ / folder.name / entry.name);
  }
  return found;
}

}  // namespace aimicro
