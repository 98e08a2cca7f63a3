// Where the durable part of key state lives.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "broker/core/pool.h"

namespace ccr {

// The durable state of one key: what a restart must not forget.
struct KeyRecord {
  std::string pool;
  std::string fingerprint;
  core::KeySnapshot state;
};

// Law: Append is ordered; the last record of (pool, fingerprint) wins. When Append returns OK, the records survive the
// end of the process as far as the store promises (the in-memory one: not at all). Load returns one record a key.
// Thread-safe. Errors: Unavailable (try again), DataLoss (damaged; names what).
class KeyStore {
 public:
  virtual ~KeyStore() = default;
  virtual absl::StatusOr<std::vector<KeyRecord>> Load() = 0;
  virtual absl::Status Append(absl::Span<const KeyRecord> records) = 0;
};

}  // namespace ccr
