// What the tests of strategies share.
#pragma once

#include <memory>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "broker/core/strategies/strategy.h"

namespace ccr::core {

// A strategy with its own clock and random numbers. Leases end at once unless a test says otherwise.
class StrategyBench {
 public:
  explicit StrategyBench(std::string_view name, uint64_t seed = 1)
      : strategy_(std::move(MakeStrategy(name)).value()), random_(seed) {}

  Strategy* operator->() { return strategy_.get(); }

  // Adds one eligible key for each weight, in order.
  void AddKeys(const std::vector<double>& weights) {
    strategy_->Reserve(static_cast<KeyIndex>(weights.size()));
    for (KeyIndex key = 0; key < weights.size(); ++key) {
      strategy_->AddKey(key, {.weight = weights[key], .position = key});
      strategy_->Insert(key);
    }
  }

  KeyIndex Pick(absl::Span<const KeyIndex> excluded = {}) { return strategy_->Pick(excluded, now_, random_); }
  KeyIndex Lease(absl::Span<const KeyIndex> excluded = {}) {
    const KeyIndex key = Pick(excluded);
    if (key != kNoKey) strategy_->OnLeased(key, now_);
    return key;
  }
  void End(KeyIndex key, absl::Duration latency = absl::Milliseconds(100)) { strategy_->OnEnded(key, latency, now_); }
  KeyIndex Use(absl::Span<const KeyIndex> excluded = {}) {
    const KeyIndex key = Lease(excluded);
    if (key != kNoKey) End(key);
    return key;
  }

  // Counts the keys of `n` uses.
  std::vector<int> Count(int n, KeyIndex keys, absl::Span<const KeyIndex> excluded = {}) {
    std::vector<int> counts(keys);
    for (int i = 0; i < n; ++i) ++counts[Use(excluded)];
    return counts;
  }

  void Advance(absl::Duration time) { now_ += time; }
  absl::Time Now() const { return now_; }
  std::mt19937_64& Random() { return random_; }

 private:
  std::unique_ptr<Strategy> strategy_;
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  std::mt19937_64 random_;
};

}  // namespace ccr::core
