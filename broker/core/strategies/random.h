#pragma once

#include "broker/core/strategies/dense_set.h"
#include "broker/core/strategies/strategy.h"

namespace ccr::core {

// Every eligible key that is not excluded with the same probability, by one draw. All methods O(1), Pick O(excluded).
class Random final : public Strategy {
 public:
  void Reserve(KeyIndex capacity) override { eligible_.Reserve(capacity); }
  void AddKey(KeyIndex, const KeyTraits&) override {}
  void RemoveKey(KeyIndex) override {}
  void UpdateKey(KeyIndex, const KeyTraits&) override {}
  void Insert(KeyIndex key) override { eligible_.Insert(key); }
  void Erase(KeyIndex key) override { eligible_.Erase(key); }
  KeyIndex Pick(const Excluded& excluded, absl::Time now, absl::BitGenRef random) override;
  void OnLeased(KeyIndex, absl::Time) override {}
  void OnEnded(KeyIndex, absl::Duration, absl::Time) override {}

 private:
  DenseSet eligible_;
};

}  // namespace ccr::core
