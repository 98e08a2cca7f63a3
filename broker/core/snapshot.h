// The state of a pool and its keys, as it is shown and stored.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "broker/core/pacing/pacer.h"
#include "broker/core/pool_spec.h"
#include "broker/core/types.h"

namespace ccr::core {

// A key that serves all but one model until then.
struct ModelHold {
  std::string model;
  absl::Time until;
  std::string_view reason;  // static storage
};

// What was learned of a key's limits for one model.
struct ModelPace {
  std::string model;
  Learned learned;
};

// What one sees of a key from outside.
struct KeySnapshot {
  KeyIndex key = kNoKey;
  KeyState state = KeyState::kActive;
  std::string_view reason;
  absl::Time available_at;  // InfinitePast when ACTIVE
  // When DISABLED, at `next_try` and at growing intervals after it; nobody while people have it out, until `next_try`.
  TriedBy tried_by = TriedBy::kNobody;
  absl::Time next_try = absl::InfinitePast();        // InfiniteFuture: never
  absl::Time rate_allows_at = absl::InfinitePast();  // when limits, its own or the pool's, hold it back: until then
  bool available = false;                            // could be granted now
  uint32_t consecutive_failures = 0, in_flight = 0;
  Limits used = {};  // of limits that are declared
  uint64_t uses = 0, successes = 0, failures = 0, input_tokens = 0, output_tokens = 0;
  absl::Time last_used, last_failure, last_success;  // InfinitePast when never
  absl::Duration latency;                            // moving average of time to first byte
  std::vector<ModelHold> holds = {};
  std::vector<ModelPace> paces = {};
  Learned learned = {};
  double room = std::numeric_limits<double>::infinity();  // requests that fit now, as far as its pacer knows
};

struct PoolSnapshot {
  std::vector<KeySnapshot> keys;  // in configuration order
  uint32_t available = 0, in_flight = 0, waiting = 0;
  uint32_t sessions = 0;  // whose last key is known
  CircuitState circuit = CircuitState::kClosed;
  absl::Time circuit_retry_at;
  std::string_view circuit_reason;  // why it opened; static storage, empty when CLOSED
  // acquired = reported + expired + in_flight; `expired` counts all that ended without a report, released ones too.
  uint64_t acquired = 0, reported = 0, expired = 0;
};

}  // namespace ccr::core
