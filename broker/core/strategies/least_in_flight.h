#pragma once

#include <tuple>
#include <vector>

#include "broker/core/strategies/indexed_heap.h"
#include "broker/core/strategies/strategy.h"

namespace ccr::core {

// The key with the fewest leases in flight; of several, the one granted longest ago.
// Insert, Erase, OnLeased, OnEnded and Pick are O(log n).
class LeastInFlight final : public Strategy {
 public:
  void Reserve(KeyIndex capacity) override;
  void AddKey(KeyIndex key, const KeyTraits&) override { load_[key] = {}; }
  void RemoveKey(KeyIndex) override {}
  void UpdateKey(KeyIndex, const KeyTraits&) override {}
  void Insert(KeyIndex key) override { eligible_.Insert(key, load_[key]); }
  void Erase(KeyIndex key) override { eligible_.Erase(key); }
  KeyIndex Pick(const Excluded& excluded, absl::Time now, absl::BitGenRef random) override;
  void OnLeased(KeyIndex key, absl::Time now) override;
  void OnEnded(KeyIndex key, absl::Duration latency, absl::Time now) override;

 private:
  struct Load {
    uint32_t in_flight = 0;
    uint64_t last_grant = 0;  // its number among all of the pool; 0 = never

    friend bool operator<(const Load& a, const Load& b) {
      return std::tie(a.in_flight, a.last_grant) < std::tie(b.in_flight, b.last_grant);
    }
  };

  void Set(KeyIndex key, const Load& load);

  uint64_t grants_ = 0;
  std::vector<Load> load_;
  IndexedHeap<Load> eligible_;
};

}  // namespace ccr::core
