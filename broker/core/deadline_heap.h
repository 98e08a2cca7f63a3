// Small numbers ordered by a time.
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "broker/core/strategies/excluded.h"
#include "broker/core/strategies/indexed_heap.h"
#include "broker/core/types.h"

namespace ccr::core {

// What is due next. Items are dense numbers (slots) below the reserved capacity, each in the heap at most once. Set and
// Remove are O(log n), Next is O(1); only Reserve allocates. Not thread-safe.
class DeadlineHeap {
 public:
  static constexpr uint32_t kNone = kNoKey;

  void Reserve(uint32_t capacity) { heap_.Reserve(capacity); }

  // Puts the item in, or moves it.
  void Set(uint32_t item, absl::Time time) {
    if (heap_.Contains(item)) {
      heap_.Update(item, time);
    } else {
      heap_.Insert(item, time);
    }
  }
  void Remove(uint32_t item) {  // nothing when it is not in
    if (heap_.Contains(item)) heap_.Erase(item);
  }

  bool empty() const { return heap_.empty(); }
  uint32_t Next() const { return heap_.BestExcept(Excluded()); }
  absl::Time NextTime() const { return heap_.empty() ? absl::InfiniteFuture() : heap_.BestRank(); }
  // The earliest item that is not in `excluded`, or kNone; visits no more than the excluded ones there and their children.
  uint32_t NextExcept(const Excluded& excluded) const { return heap_.BestExcept(excluded); }

 private:
  IndexedHeap<absl::Time> heap_;
};

}  // namespace ccr::core
