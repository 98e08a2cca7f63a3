#pragma once

#include <tuple>
#include <vector>

#include "broker/core/strategies/indexed_heap.h"
#include "broker/core/strategies/strategy.h"

namespace ccr::core {

// The key with the fewest grants; of several, the one idle for longest. A key that becomes eligible counts at least as
// many as the least used eligible one: it takes its share from now on, and does not get all requests until it has
// caught up. Nor do grants for a session's sake count beyond one more than the least used eligible key.
// Insert, Erase, OnLeased and Pick are O(log n).
class LeastUsed final : public Strategy {
 public:
  void Reserve(KeyIndex capacity) override;
  void AddKey(KeyIndex key, const KeyTraits&) override { usage_[key] = {}; }
  void RemoveKey(KeyIndex) override {}
  void UpdateKey(KeyIndex, const KeyTraits&) override {}
  void Insert(KeyIndex key) override;
  void Erase(KeyIndex key) override { eligible_.Erase(key); }
  KeyIndex Pick(const Excluded& excluded, absl::Time now, absl::BitGenRef random) override;
  void OnLeased(KeyIndex key, absl::Time now) override;
  void OnPreferred(KeyIndex key, absl::Time now) override;
  void OnEnded(KeyIndex, absl::Duration, absl::Time) override {}

 private:
  struct Usage {
    uint64_t uses = 0;      // grants, and those lifted over
    uint64_t last_use = 0;  // number of the grant among all of the pool; 0 = never

    friend bool operator<(const Usage& a, const Usage& b) {
      return std::tie(a.uses, a.last_use) < std::tie(b.uses, b.last_use);
    }
  };

  uint64_t grants_ = 0;
  uint64_t floor_ = 0;  // no eligible key has fewer uses
  std::vector<Usage> usage_;
  IndexedHeap<Usage> eligible_;
};

}  // namespace ccr::core
