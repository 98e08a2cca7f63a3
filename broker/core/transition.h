// What happens in a pool, as others are told.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "broker/core/types.h"

namespace ccr::core {

// Something that happened, in order. Observers and stores get these in batches, after the pool's lock is released.
// - kSuccess and kFailure come once per report that says something of the key or its provider; `reason` is that of the
//   evidence.
// - kCooling and kDisabled tell of a begin and of each later deadline; `reason` is then the key's ("auth" or "failures"
//   for a disabled one).
// - kRecovered: the key is ACTIVE again; a trial succeeds with its first byte. `reason` is one of "cooldown_over",
//   "trial_succeeded", "probe_succeeded", "circuit_opened" (its failures were its provider's: the circuit holds back
//   the pool instead), "acquitted" (every key refused that request), "access_changed" (the provider is asked in
//   another way now), "enabled" and "reset" (by people).
// - kProbed: a probe was answered, as `outcome` says.
// - kLeaseExpired: a lease ended without a report; `reason` is "expired" or "released".
// Reasserted leases bring none.
struct Transition {
  enum class Type : uint8_t {
    kLeased,
    kSuccess,
    kFailure,
    kCooling,
    kDisabled,
    kRecovered,
    kCircuitOpened,
    kCircuitClosed,
    kLeaseExpired,
    kQueued,
    kProbed,
  };
  Type type;
  KeyIndex key = kNoKey;  // kNoKey for the circuit's
  Outcome outcome = Outcome::kNeutral;
  std::string_view reason;
  absl::Time time;
  absl::Time available_at;                  // kCooling: end; kDisabled: next trial or probe; kCircuitOpened: next trial
  TriedBy tried_by = TriedBy::kNobody;      // kDisabled: what tries it next,
  absl::Time next_try;                      // and when: at available_at, or at once where its probe said nothing
  absl::Duration latency;                   // kSuccess: time to first byte
  absl::Duration wait;                      // kLeased: time in the queue
  Affinity affinity = Affinity::kNotAsked;  // kLeased
  uint64_t input_tokens = 0, output_tokens = 0;
  std::string request_id = {};  // the report's that brought it about; set by who reported
};

}  // namespace ccr::core
