// A key store for tests, and for brokers whose state may be lost with their process.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "broker/base/mutex.h"
#include "broker/ports/key_store.h"

namespace ccr {

// Promises durability over services, not over the end of the process. Never fails.
class MemoryStore final : public KeyStore {
 public:
  absl::StatusOr<std::vector<KeyRecord>> Load() override;
  absl::Status Append(absl::Span<const KeyRecord> records) override;

 private:
  Mutex mutex_;
  absl::flat_hash_map<std::pair<std::string, std::string>, core::KeySnapshot> states_ CCR_GUARDED_BY(mutex_);
};

}  // namespace ccr
