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
  OwnerId owner = kNoOwner;
  absl::InlinedVector<KeyIndex, 4> excluded;
  SessionHash session = kNoSession;
  uint64_t inquiry = 0;
  absl::Time since;
  absl::Time deadline;
  ModelId model = kAnyModel;
  uint64_t estimated_tokens = 0;
};

// First come, first served, of those who can be served. Those without exclusions stand in one line for each model, in
// order of arrival. One with exclusions stands alone: when they leave it no key, it holds up nobody. Not thread-safe; no
// clock.
class WaitQueue {
 public:
  // So many waiters with exclusions are looked at in one step. While there are no more of them, the order is exact;
  // else each step begins behind those that the last one looked at, so that all get their turn.
  static constexpr uint32_t kLooks = 64;

  uint32_t size() const { return static_cast<uint32_t>(by_id_.size()); }
  bool empty() const { return by_id_.empty(); }
  bool HasLine(ModelId model) const { return model < lines_.size() && lines_[model].size > 0; }

  void Push(Waiter waiter);  // precondition: the id does not wait yet
  bool Contains(const LeaseId& id) const { return by_id_.contains(id); }
  // The first of whom `can_go(waiter)` holds, of the heads of lines and of those with exclusions; nullptr when there is
  // none. Valid until the next change. O(lines + kLooks) calls.
  template <typename CanGo>
  const Waiter* FirstThat(const CanGo& can_go);
  // Not all have been looked at since something may have opened: another step may find one who can go.
  bool looks_left() const { return choosy_.size > kLooks && looked_ < choosy_.size; }
  void OnRoom() { looked_ = 0; }  // a key may have opened for somebody
  bool Remove(const LeaseId& id);
  void RemoveOwner(OwnerId owner);  // O(size)

  absl::Time NextDeadline() const { return deadlines_.NextTime(); }
  // Takes out the next waiter whose deadline is `now` or before.
  std::optional<Waiter> PopOverdue(absl::Time now);

 private:
  static constexpr uint32_t kNone = DeadlineHeap::kNone;

  // Law: by_id_[slots_[s].waiter.id] == s for every s not in free_; these are linked by arrival in the line of their
  // model, those with exclusions in choosy_, and are in deadlines_. waiting_ has the models whose line is not empty. cursor_ is one of choosy_ or kNone.
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

  List& ListOf(const Waiter& waiter) { return waiter.excluded.empty() ? lines_[waiter.model] : choosy_; }
  void RemoveOwner(OwnerId owner, uint32_t slot);  // of the list from there on
  uint32_t NewSlot();
  void Free(uint32_t slot);

  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  absl::flat_hash_map<LeaseId, uint32_t> by_id_;
  DeadlineHeap deadlines_;
  std::vector<List> lines_;  // by model
  std::vector<ModelId> waiting_;
  List choosy_;
  uint32_t cursor_ = kNone;
  uint32_t looked_ = 0;  // of choosy_, since something may have opened
  uint64_t arrivals_ = 0;
};

template <typename CanGo>
const Waiter* WaitQueue::FirstThat(const CanGo& can_go) {
  const Slot* first = nullptr;
  for (const ModelId model : waiting_) {
    const Slot& head = slots_[lines_[model].front];
    if ((first == nullptr || head.arrival < first->arrival) && can_go(head.waiter)) first = &head;
  }
  uint32_t at = choosy_.size <= kLooks || cursor_ == kNone ? choosy_.front : cursor_;
  for (uint32_t looks = std::min(choosy_.size, kLooks); looks > 0; --looks) {
    const Slot& slot = slots_[at];
    if ((first == nullptr || slot.arrival < first->arrival) && can_go(slot.waiter)) return &slot.waiter;
    ++looked_;
    at = cursor_ = slot.next == kNone ? choosy_.front : slot.next;
  }
  return first == nullptr ? nullptr : &first->waiter;
}

}  // namespace ccr::core
