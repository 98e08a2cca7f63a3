#pragma once

#include <vector>

#include "absl/numeric/int128.h"
#include "broker/core/strategies/indexed_heap.h"
#include "broker/core/strategies/strategy.h"

namespace ccr::core {

// Shares in proportion to weight, smoothly: earliest deadline first in virtual time. A key of weight w has its turns at
//   (f + k) / w,  k = 0, 1, 2, ...
// so in every stretch of virtual time that holds whole numbers n_i of turns of each key (one unit, for integer
// weights), key i has exactly n_i. f, between 0 and 1, is spread by the golden ratio over the keys, so that equal
// weights do not bunch.
//
// A key that returns waits at least f / w from the present: it keeps no claim to the turns that it missed. A grant out
// of turn uses up the next turn; one for a session's sake only where that was still to come within 1 / w. A change of
// weight scales what is left of the wait.
//
// Weights count in millionths: below 0.000001 as that, above 1000000 as that. Virtual time is in integers (no drift,
// however many turns) of 128 bits, which last for more than 2^64 turns of the smallest weight. Insert, Erase, OnLeased,
// UpdateKey and Pick are O(log n).
class Weighted final : public Strategy {
 public:
  void Reserve(KeyIndex capacity) override;
  void AddKey(KeyIndex key, const KeyTraits& traits) override;
  void RemoveKey(KeyIndex) override {}
  void UpdateKey(KeyIndex key, const KeyTraits& traits) override;
  void Insert(KeyIndex key) override;
  void Erase(KeyIndex key) override { eligible_.Erase(key); }
  KeyIndex Pick(const Excluded& excluded, absl::Time now, absl::BitGenRef random) override;
  void OnLeased(KeyIndex key, absl::Time now) override;
  void OnPreferred(KeyIndex key, absl::Time now) override;
  void OnEnded(KeyIndex, absl::Duration, absl::Time) override {}
  bool uses_weights() const override { return true; }

 private:
  using VirtualTime = absl::uint128;

  // After k turns, deadline is the first one + floor(k * unit / weight), and carry the remainder of that division.
  struct Turn {
    VirtualTime deadline = 0;
    uint64_t weight = 0;  // in millionths
    uint64_t carry = 0;
  };

  // No eligible key has a deadline before now_.
  VirtualTime now_ = 0;
  std::vector<Turn> turns_;
  IndexedHeap<VirtualTime> eligible_;  // by deadline
};

}  // namespace ccr::core
