#pragma once

#include <vector>

#include "broker/core/strategies/indexed_heap.h"
#include "broker/core/strategies/strategy.h"

namespace ccr::core {

// The eligible key that stands first in the configuration: the next one is used only when those before it may not be.
// Insert, Erase, UpdateKey and Pick are O(log n).
class FillFirst final : public Strategy {
 public:
  void Reserve(KeyIndex capacity) override;
  void AddKey(KeyIndex key, const KeyTraits& traits) override { position_[key] = traits.position; }
  void RemoveKey(KeyIndex) override {}
  void UpdateKey(KeyIndex key, const KeyTraits& traits) override;
  void Insert(KeyIndex key) override { eligible_.Insert(key, position_[key]); }
  void Erase(KeyIndex key) override { eligible_.Erase(key); }
  KeyIndex Pick(const Excluded& excluded, absl::Time now, absl::BitGenRef random) override;
  void OnLeased(KeyIndex, absl::Time) override {}
  void OnEnded(KeyIndex, absl::Duration, absl::Time) override {}

 private:
  std::vector<uint32_t> position_;
  IndexedHeap<uint32_t> eligible_;  // by position
};

}  // namespace ccr::core
