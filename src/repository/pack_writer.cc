#include "repository/pack_writer.h"

namespace daruma {

Uploader::Uploader(Repository& repository)
    : repository_(repository), thread_([this] {
        while (auto item = queue_.pop()) {
          const bool failed_before = shared_.lock()->error.has_value();
          const Status put = failed_before ? Status{} : repository_.store().put(item->name, item->object);
          bytes_ += item->object.size();
          auto shared = shared_.lock();
          if (!put.ok() && !shared->error) shared->error = put.error();
          ++shared->done;
          shared_.notify_all();
        }
      }) {}

Uploader::~Uploader() { queue_.close(); }

Status Uploader::status() {
  auto shared = shared_.lock();
  if (shared->error) return *shared->error;
  return {};
}

Status Uploader::put(std::string name, Bytes object) {
  DR_OK(status());
  ++shared_.lock()->handed_over;
  queue_.push({std::move(name), std::move(object)});
  return {};
}

Status Uploader::drain() {
  auto shared = shared_.lock();
  shared.wait([&] { return shared->done == shared->handed_over; });
  if (shared->error) return *shared->error;
  return {};
}

PackWriter::PackWriter(Repository& repository, Uploader& uploader, uint64_t pack_bytes)
    : repository_(repository), uploader_(uploader), pack_bytes_(pack_bytes) {}

Location PackWriter::append(BytesView record) {
  if (!sealer_) {
    const auto id = repository_.random().id<PackId>();
    sealer_.emplace(repository_.keys(), repository_.random(), ObjectType::kPack, id, pack_name(id));
    sealer_->reserve(pack_bytes_ + kMiB);  // growing would double its memory
  }
  const auto placed = sealer_->append(record);
  return {sealer_->id(), placed.offset, placed.size};
}

Status PackWriter::flush() {
  if (!sealer_) return {};
  packs_.push_back({sealer_->id(), sealer_->size()});
  const std::string name = pack_name(sealer_->id());
  Bytes object = sealer_->take();
  sealer_.reset();
  return uploader_.put(name, std::move(object));
}

}  // namespace daruma
