#include "broker/core/strategies/lowest_latency.h"

#include <algorithm>
#include <cassert>

#include "absl/random/distributions.h"
#include "broker/core/strategies/peak_ewma.h"

namespace ccr::core {

void LowestLatency::Reserve(KeyIndex capacity) {
  if (capacity > estimates_.size()) estimates_.resize(capacity);
  eligible_.Reserve(capacity);
}

KeyIndex LowestLatency::Pick(const Excluded& excluded, absl::Time now, absl::BitGenRef random) {
  if (excluded.has_many()) {
    const KeyIndex first = eligible_.Draw(excluded, random);
    const KeyIndex second = first == kNoKey ? first : eligible_.Draw(excluded, random);
    return second == first || Cost(first, now) <= Cost(second, now) ? first : second;
  }
  const KeyIndex candidates = eligible_.Partition(excluded.few());
  if (candidates == 0) return kNoKey;
  const KeyIndex first = absl::Uniform<KeyIndex>(random, 0, candidates);
  if (candidates == 1) return eligible_[first];
  KeyIndex second = absl::Uniform<KeyIndex>(random, 0, candidates - 1);
  if (second >= first) ++second;
  return Cost(eligible_[second], now) < Cost(eligible_[first], now) ? eligible_[second] : eligible_[first];
}

void LowestLatency::OnEnded(KeyIndex key, absl::Duration latency, absl::Time now) {
  assert(estimates_[key].in_flight > 0);
  --estimates_[key].in_flight;
  if (latency >= absl::ZeroDuration()) OnLatency(key, latency, now);
}

void LowestLatency::OnLatency(KeyIndex key, absl::Duration latency, absl::Time now) {
  constexpr double kShortest = 1e-6;
  Estimate& estimate = estimates_[key];
  const double sample = std::max(absl::ToDoubleSeconds(latency), kShortest);
  estimate.average = PeakEwma(estimate.average, sample, now - estimate.sampled);
  estimate.sampled = now;
}

double LowestLatency::Cost(KeyIndex key, absl::Time now) const {
  const Estimate& estimate = estimates_[key];
  return PeakEwmaCost(estimate.average, estimate.in_flight, now - estimate.sampled);
}

}  // namespace ccr::core
