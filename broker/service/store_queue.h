// What stands between the pools and a store that may refuse a write.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "broker/base/mutex.h"
#include "broker/ports/key_store.h"

namespace ccr {

// Passes records on at once, on the caller's thread. Those that the store refuses are kept, the last one of each key,
// and go with the next Append; an empty Append tries them alone. Logs when writing begins to fail and when it works
// again. Thread-safe.
class StoreQueue final : public KeyStore {
 public:
  // `store` outlives it.
  explicit StoreQueue(KeyStore* store) : store_(store) {}

  absl::StatusOr<std::vector<KeyRecord>> Load() override { return store_->Load(); }
  absl::Status Append(absl::Span<const KeyRecord> records) override;

  struct Stats {
    uint64_t records = 0;  // kept, not yet written
    uint64_t writes = 0, failures = 0;
    absl::Duration busy;  // spent in the store
  };
  Stats stats() const;

 private:
  absl::Status Write(absl::Span<const KeyRecord> records) CCR_REQUIRES(mutex_);
  void Keep(absl::Span<const KeyRecord> records) CCR_REQUIRES(mutex_);

  KeyStore* const store_;
  mutable Mutex mutex_;
  absl::flat_hash_map<std::pair<std::string, std::string>, core::KeySnapshot> kept_ CCR_GUARDED_BY(mutex_);
  Stats stats_ CCR_GUARDED_BY(mutex_);
};

}  // namespace ccr
