// Fuzzes the reader of daruma.yaml.
//
// Input:  a text.
// Checks: it is read, and then holds what its users rely on, or refused with a place; and it comes to an end.
#include <string>

#include "config/config.h"
#include "fuzz.h"

using namespace daruma;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const Result<Config> config = parse_config(text, "/f");
  if (config.ok()) {
    FUZZ_CHECK(!config->repository.copies.empty());
    FUZZ_CHECK(config->state.is_absolute());
    FUZZ_CHECK(config->repository.key.file.empty() != config->repository.key.passphrase_environment.empty());
    for (const DatastoreConfig& datastore : config->datastores)
      FUZZ_CHECK(!datastore.name.empty() && datastore.connection.port != 0);
  } else {
    FUZZ_CHECK(config.is(Errc::kInvalid));
    FUZZ_CHECK(config.error().what.starts_with("/f:"));
  }
  return 0;
}
