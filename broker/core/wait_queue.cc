#include "broker/core/wait_queue.h"

#include <algorithm>
#include <utility>

namespace ccr::core {

void WaitQueue::Push(Waiter waiter) {
  const uint32_t slot = NewSlot();
  by_id_[waiter.id] = slot;
  deadlines_.Set(slot, waiter.deadline);
  if (waiter.model >= lines_.size()) lines_.resize(waiter.model + 1);
  List& list = ListOf(waiter);
  if (list.size == 0 && waiter.excluded.empty()) waiting_.push_back(waiter.model);
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
  RemoveOwner(owner, choosy_.front);
  for (const List& line : lines_) RemoveOwner(owner, line.front);
}

void WaitQueue::RemoveOwner(OwnerId owner, uint32_t slot) {
  while (slot != kNone) {
    const uint32_t next = slots_[slot].next;
    if (slots_[slot].waiter.owner == owner) Free(slot);
    slot = next;
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
  if (--list.size == 0 && entry.waiter.excluded.empty()) std::erase(waiting_, entry.waiter.model);
  if (cursor_ == slot) cursor_ = entry.next;
  deadlines_.Remove(slot);
  by_id_.erase(entry.waiter.id);
  free_.push_back(slot);
}

}  // namespace ccr::core
