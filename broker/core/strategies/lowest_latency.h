#pragma once

#include <vector>

#include "broker/core/strategies/dense_set.h"
#include "broker/core/strategies/strategy.h"

namespace ccr::core {

// Of two keys drawn at random, the one of lower cost by peak_ewma.h: the power of two choices follows latency without
// sending everybody to the one best key. A key without a sample is tried whenever it is drawn, by one request at a
// time. Failures say nothing of latency: they only return the lease in flight. All methods O(1), Pick O(excluded).
class LowestLatency final : public Strategy {
 public:
  void Reserve(KeyIndex capacity) override;
  void AddKey(KeyIndex key, const KeyTraits&) override { estimates_[key] = {}; }
  void RemoveKey(KeyIndex) override {}
  void UpdateKey(KeyIndex, const KeyTraits&) override {}
  void Insert(KeyIndex key) override { eligible_.Insert(key); }
  void Erase(KeyIndex key) override { eligible_.Erase(key); }
  KeyIndex Pick(const Excluded& excluded, absl::Time now, absl::BitGenRef random) override;
  void OnLeased(KeyIndex key, absl::Time) override { ++estimates_[key].in_flight; }
  void OnLatency(KeyIndex key, absl::Duration latency, absl::Time now) override;
  void OnEnded(KeyIndex key, absl::Duration latency, absl::Time now) override;

 private:
  struct Estimate {
    double average = 0;  // seconds; 0 = no sample yet
    absl::Time sampled;
    uint32_t in_flight = 0;
  };

  double Cost(KeyIndex key, absl::Time now) const;

  std::vector<Estimate> estimates_;
  DenseSet eligible_;
};

}  // namespace ccr::core
