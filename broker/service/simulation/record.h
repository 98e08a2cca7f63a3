// What a pool did, step by step, without contents: times, keys, models, tokens, outcomes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "broker/core/types.h"

namespace ccr::simulation {

inline constexpr uint32_t kUntold = std::numeric_limits<uint32_t>::max();

// Somebody asked for a key. Granted at once where the entry has a key; else it waits, or was refused.
struct Asked {
  uint64_t before = 0;  // the lease of the same request that was reported last; 0 = this one is the first
  core::SessionHash session = core::kNoSession;
  uint32_t max_wait_ms = 0;
  uint32_t tokens = 0;  // estimated
  uint16_t model = 0;   // index into Record::models
  bool waits = false;
};
// A wait ended: granted where the entry has a key, else in vain.
struct Answered {};
// Its client gave the wait or the lease up.
struct Left {};
// A lease was reported.
struct Ended {
  uint32_t first_byte_us = 0;
  uint32_t total_us = 0;  // as its holder measured; 0 = no call was made
  uint32_t retry_after_ms = kUntold;
  uint32_t tokens = 0;
  // Of requests, as the answer told, where all is back within a minute or so; 0 = untold.
  uint32_t limit = 0, remaining = 0, reset_ms = 0;
  uint16_t http_status = 0;
  core::Outcome outcome = core::Outcome::kNeutral;
  bool own_fault = false;  // of the lease's holder: nothing was sent, or nothing counts
};
// A key was probed.
struct Probed {
  uint16_t http_status = 0;
};

struct Entry {
  int64_t unix_ns = 0;
  core::KeyIndex key = core::kNoKey;
  uint64_t lease = 0;  // of the lease's id; 0 = none
  std::variant<Asked, Answered, Left, Ended, Probed> what;

  absl::Time at() const { return absl::FromUnixNanos(unix_ns); }
};
static_assert(sizeof(Entry) <= 64);

// A piece of the record that does not change any more.
using Chunk = std::vector<Entry>;

struct Record {
  std::vector<std::shared_ptr<const Chunk>> chunks;  // oldest first, none empty
  absl::Time since = absl::InfinitePast();           // earlier entries are too old
  std::vector<std::string> models;                   // the first is "": not known
  bool truncated = false;                            // older entries were dropped
};

}  // namespace ccr::simulation
