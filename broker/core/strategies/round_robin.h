#pragma once

#include <vector>

#include "broker/core/strategies/strategy.h"

namespace ccr::core {

// Each eligible key in turn. A granted key goes to the end of the line, and so does one that returns; a key that was
// left out keeps its place. All methods O(1), Pick O(excluded) steps.
class RoundRobin final : public Strategy {
 public:
  RoundRobin();

  void Reserve(KeyIndex capacity) override;
  void AddKey(KeyIndex, const KeyTraits&) override {}
  void RemoveKey(KeyIndex) override {}
  void UpdateKey(KeyIndex, const KeyTraits&) override {}
  void Insert(KeyIndex key) override;
  void Erase(KeyIndex key) override;
  KeyIndex Pick(const Excluded& excluded, absl::Time now, absl::BitGenRef random) override;
  void OnLeased(KeyIndex key, absl::Time now) override;
  void OnEnded(KeyIndex, absl::Duration, absl::Time) override {}

 private:
  // A doubly linked ring: slot 0 is its head, key k has slot k + 1. A slot outside the ring has next == kNoKey.
  struct Link {
    KeyIndex previous = kNoKey;
    KeyIndex next = kNoKey;
  };

  void LinkLast(KeyIndex slot);
  void Unlink(KeyIndex slot);

  std::vector<Link> ring_;
};

}  // namespace ccr::core
