// Where the durable part of the broker's state lives.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "broker/core/snapshot.h"

namespace ccr {

// The last failure of a key, in words.
struct LastError {
  std::string text;        // empty: none
  std::string request_id;  // the provider's, else the caller's
  absl::Time at = absl::InfinitePast();
};

// The durable state of one key: what a restart must not forget.
struct KeyRecord {
  std::string pool;
  std::string fingerprint;
  core::KeySnapshot state;
  LastError error = {};
};

// What people have changed while a broker ran, over its configuration: what such a record says is the service's affair.
// (pool, kind, id) name it. Keys in it are sealed.
struct ChangeRecord {
  std::string pool;
  std::string kind;
  std::string id;
  std::string content;  // empty: it was taken back, and is remembered no more
};

// What a commit may hold.
using Record = std::variant<KeyRecord, ChangeRecord>;

// Who owns the store: each owner has a greater one than all before it.
using Fence = uint64_t;

// Law: commits are ordered, and each is taken whole or not at all; the last record of one name wins. When
// Commit returns OK, its records survive the end of the process as far as the store promises (the in-memory one: not at
// all). From Acquire on, commits with the fence of an earlier owner are refused. Every call returns within a bounded
// time. Thread-safe. Errors: Unavailable (try again), DataLoss (damaged; names what), FailedPrecondition (another owner
// has taken over: never try again).
class KeyStore {
 public:
  struct Loaded {
    std::vector<KeyRecord> keys;  // one record a key
    std::vector<ChangeRecord> changes;
    std::vector<std::string> damaged;  // records that were left out, named for a log: pool/fingerprint and why
  };

  virtual ~KeyStore() = default;
  // Makes the caller the owner.
  virtual absl::StatusOr<Fence> Acquire() = 0;
  virtual absl::StatusOr<Loaded> Load() = 0;
  virtual absl::Status Commit(absl::Span<const Record> batch, Fence fence) = 0;
};

}  // namespace ccr
