#include "broker/core/wait_queue.h"

#include <algorithm>
#include <utility>

namespace ccr::core {

void WaitQueue::AddCredits(uint32_t credits) {
  credits_ = std::min(credits_ + credits, size());
  looked_ = 0;
}

void WaitQueue::SpendCredit() {
  if (credits_ > 0) --credits_;
}

void WaitQueue::Push(Waiter waiter) {
  const uint32_t slot = NewSlot();
  by_id_[waiter.id] = slot;
  deadlines_.Set(slot, waiter.deadline);
  List& list = ListOf(waiter);
  slots_[slot] = {std::move(waiter), ++arrivals_, list.back, kNone};
  (list.back == kNone ? list.front : slots_[list.back].next) = slot;
  list.back = slot;
  ++list.size;
}

bool WaitQueue::Remove(const LeaseId& id) {
  const auto it = by_id_.find(id);
  if (it == by_id_.end()) return false;
  Free(it->second);
  return true;
}

void WaitQueue::RemoveOwner(OwnerId owner) {
  for (const List* list : {&plain_, &choosy_}) {
    for (uint32_t slot = list->front; slot != kNone;) {
      const uint32_t next = slots_[slot].next;
      if (slots_[slot].waiter.owner == owner) Free(slot);
      slot = next;
    }
  }
}

std::optional<Waiter> WaitQueue::PopOverdue(absl::Time now) {
  if (empty() || deadlines_.NextTime() > now) return std::nullopt;
  const uint32_t slot = deadlines_.Next();
  Waiter waiter = slots_[slot].waiter;
  Free(slot);
  return waiter;
}

uint32_t WaitQueue::NewSlot() {
  if (free_.empty()) {
    slots_.emplace_back();
    deadlines_.Reserve(static_cast<uint32_t>(slots_.capacity()));
    return static_cast<uint32_t>(slots_.size() - 1);
  }
  const uint32_t slot = free_.back();
  free_.pop_back();
  return slot;
}

void WaitQueue::Free(uint32_t slot) {
  const Slot& entry = slots_[slot];
  List& list = ListOf(entry.waiter);
  (entry.previous == kNone ? list.front : slots_[entry.previous].next) = entry.next;
  (entry.next == kNone ? list.back : slots_[entry.next].previous) = entry.previous;
  --list.size;
  if (cursor_ == slot) cursor_ = entry.next;
  deadlines_.Remove(slot);
  by_id_.erase(entry.waiter.id);
  free_.push_back(slot);
  credits_ = std::min(credits_, size());
}

}  // namespace ccr::core
