// Those who wait for a key.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "broker/core/deadline_heap.h"
#include "broker/core/types.h"

namespace ccr::core {

struct Waiter {
  LeaseId id;
  OwnerId owner = kNobody;
  absl::InlinedVector<KeyIndex, 4> excluded;
  SessionHash session = kNoSession;
  absl::Time since;
  absl::Time deadline;
};

// First come, first served. A waiter goes for one credit: keys that return and leases that end bring credits, so a
// crowd is let go at the pace at which keys prove able to take it. Law: credits <= size. Not thread-safe; no clock.
class WaitQueue {
 public:
  uint32_t size() const { return static_cast<uint32_t>(by_id_.size()); }
  bool empty() const { return by_id_.empty(); }
  uint32_t credits() const { return credits_; }

  void AddCredits(uint32_t credits);
  void SpendCredit();  // nothing when there is none

  void Push(Waiter waiter);  // precondition: the id does not wait yet
  bool Contains(const LeaseId& id) const { return by_id_.contains(id); }
  const Waiter& Front() const { return slots_[front_].waiter; }  // precondition: not empty
  bool Remove(const LeaseId& id);
  void RemoveOwner(OwnerId owner);  // O(size)

  absl::Time NextDeadline() const { return deadlines_.NextTime(); }
  // Takes out the next waiter whose deadline is `now` or before.
  std::optional<Waiter> PopOverdue(absl::Time now);

 private:
  static constexpr uint32_t kNone = DeadlineHeap::kNone;

  // Law: by_id_[slots_[s].waiter.id] == s for every s not in free_; these are linked from front_ to back_ by arrival,
  // and are in deadlines_.
  struct Slot {
    Waiter waiter;
    uint32_t previous = kNone;
    uint32_t next = kNone;
  };

  uint32_t NewSlot();
  void Free(uint32_t slot);

  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  absl::flat_hash_map<LeaseId, uint32_t> by_id_;
  DeadlineHeap deadlines_;
  uint32_t front_ = kNone;
  uint32_t back_ = kNone;
  uint32_t credits_ = 0;
};

}  // namespace ccr::core
