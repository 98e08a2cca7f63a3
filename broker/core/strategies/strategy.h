// The seam between "which keys may be used" and "which of them next".
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "broker/core/strategies/excluded.h"
#include "broker/core/types.h"

namespace ccr::core {

// A weight, above 0, in whole millionths: at least one, at most a million times a million.
uint64_t Millionths(double weight);

// What strategies may know of a key.
struct KeyTraits {
  double weight = 1;      // > 0
  uint32_t position = 0;  // place in the configuration
};

// Orders the keys that are eligible now. Eligibility (state, limits, circuit) is the pool's: it tells by Insert and
// Erase.
//
// Cost: every method is O(log n) or better and allocates nothing; Reserve makes room. Pick costs O(1), plus at most
// O(few^2) to pass over the keys that one request has tried, and O(many) over those that are held for its model.
// A key is known from AddKey to RemoveKey, and eligible from Insert to Erase. In-flight counts and latencies are kept
// for known keys, eligible or not. Not thread-safe. No clock: `now` never decreases.
class Strategy {
 public:
  virtual ~Strategy() = default;

  // Makes room for keys with index < capacity.
  virtual void Reserve(KeyIndex capacity) = 0;

  virtual void AddKey(KeyIndex key, const KeyTraits& traits) = 0;
  virtual void RemoveKey(KeyIndex key) = 0;  // precondition: not eligible
  virtual void UpdateKey(KeyIndex key, const KeyTraits& traits) = 0;

  virtual void Insert(KeyIndex key) = 0;  // precondition: known, not eligible
  virtual void Erase(KeyIndex key) = 0;   // precondition: eligible

  // The best eligible key that is not in `excluded`, or kNoKey. Changes nothing but what a random draw needs.
  virtual KeyIndex Pick(const Excluded& excluded, absl::Time now, absl::BitGenRef random) = 0;

  // `key` was granted (it need not have come from Pick: trials and reasserted leases also count).
  virtual void OnLeased(KeyIndex key, absl::Time now) = 0;
  // `key` was granted because its session prefers it, whoever's turn it was. It uses up the key's next turn, and never
  // more than this one: a key that served a busy session while nobody else asked has its full share of what comes
  // later. By default a grant like any other, as is right for strategies without a memory of turns.
  virtual void OnPreferred(KeyIndex key, absl::Time now) { OnLeased(key, now); }
  // A good answer of `key` has begun after `latency`, its time to first byte.
  virtual void OnLatency(KeyIndex /*key*/, absl::Duration /*latency*/, absl::Time /*now*/) {}
  // A lease of `key` ended; `latency` is its time to first byte when it succeeded and OnLatency did not tell, negative
  // otherwise.
  virtual void OnEnded(KeyIndex key, absl::Duration latency, absl::Time now) = 0;

  // Whether shares are by weight; otherwise each eligible key's is the same.
  virtual bool uses_weights() const { return false; }
};

// Names as users write them: round_robin, random, weighted, least_used, least_in_flight, lowest_latency, fill_first.
// InvalidArgument lists the known names.
absl::StatusOr<std::unique_ptr<Strategy>> MakeStrategy(std::string_view name);
absl::Span<const std::string_view> StrategyNames();

}  // namespace ccr::core
