// Those who wait for a key.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "broker/core/deadline_heap.h"
#include "broker/core/model_table.h"
#include "broker/core/types.h"

namespace ccr::core {

struct Waiter {
  LeaseId id;
  OwnerId owner = kNobody;
  absl::InlinedVector<KeyIndex, 4> excluded;
  SessionHash session = kNoSession;
  uint64_t inquiry = 0;
  absl::Time since;
  absl::Time deadline;
  ModelId model = kAnyModel;
  uint64_t estimated_tokens = 0;
};

// First come, first served, of those who can be served: a waiter whose exclusions leave it no key holds up nobody. A
// waiter goes for one credit: keys that return and leases that end bring credits, so a crowd is let go at the pace at
// which keys prove able to take it. Law: credits <= size. Not thread-safe; no clock.
class WaitQueue {
 public:
  // So many waiters with exclusions are looked at in one step. While there are no more of them, the order is exact;
  // else each step begins behind those that the last one looked at, so that all get their turn.
  static constexpr uint32_t kLooks = 64;

  uint32_t size() const { return static_cast<uint32_t>(by_id_.size()); }
  bool empty() const { return by_id_.empty(); }
  uint32_t credits() const { return credits_; }

  void AddCredits(uint32_t credits);
  void SpendCredit();  // nothing when there is none

  void Push(Waiter waiter);  // precondition: the id does not wait yet
  bool Contains(const LeaseId& id) const { return by_id_.contains(id); }
  // The first without exclusions, or nullptr. Valid until the next change, as the next one.
  const Waiter* FirstPlain() const { return plain_.front == kNone ? nullptr : &slots_[plain_.front].waiter; }
  // The first of whom `can_go(waiter)` holds, or nullptr. It must hold of those without exclusions. O(kLooks) calls.
  template <typename CanGo>
  const Waiter* FirstThat(const CanGo& can_go);
  // Not all have been looked at since the last credit came: another step may find one who can go.
  bool looks_left() const { return choosy_.size > kLooks && looked_ < choosy_.size; }
  void StopLooking() { looked_ = choosy_.size; }  // until the next credit comes
  bool Remove(const LeaseId& id);
  void RemoveOwner(OwnerId owner);  // O(size)

  absl::Time NextDeadline() const { return deadlines_.NextTime(); }
  // Takes out the next waiter whose deadline is `now` or before.
  std::optional<Waiter> PopOverdue(absl::Time now);

 private:
  static constexpr uint32_t kNone = DeadlineHeap::kNone;

  // Law: by_id_[slots_[s].waiter.id] == s for every s not in free_; these are linked by arrival in plain_, those with
  // exclusions in choosy_, and are in deadlines_. cursor_ is one of choosy_ or kNone.
  struct Slot {
    Waiter waiter;
    uint64_t arrival = 0;
    uint32_t previous = kNone;
    uint32_t next = kNone;
  };
  struct List {
    uint32_t front = kNone;
    uint32_t back = kNone;
    uint32_t size = 0;
  };

  List& ListOf(const Waiter& waiter) { return waiter.excluded.empty() ? plain_ : choosy_; }
  uint32_t NewSlot();
  void Free(uint32_t slot);

  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  absl::flat_hash_map<LeaseId, uint32_t> by_id_;
  DeadlineHeap deadlines_;
  List plain_;
  List choosy_;
  uint32_t cursor_ = kNone;
  uint32_t looked_ = 0;  // of choosy_, since the last credit came
  uint64_t arrivals_ = 0;
  uint32_t credits_ = 0;
};

template <typename CanGo>
const Waiter* WaitQueue::FirstThat(const CanGo& can_go) {
  const Slot* const plain = plain_.front == kNone ? nullptr : &slots_[plain_.front];
  uint32_t at = choosy_.size <= kLooks || cursor_ == kNone ? choosy_.front : cursor_;
  for (uint32_t looks = std::min(choosy_.size, kLooks); looks > 0; --looks) {
    const Slot& slot = slots_[at];
    if ((plain == nullptr || slot.arrival < plain->arrival) && can_go(slot.waiter)) return &slot.waiter;
    ++looked_;
    at = cursor_ = slot.next == kNone ? choosy_.front : slot.next;
  }
  return plain == nullptr ? nullptr : &plain->waiter;
}

}  // namespace ccr::core
