#include "broker/core/lease_table.h"

#include <algorithm>

namespace ccr::core {

const LeaseRecord* LeaseTable::Find(const LeaseId& id) const {
  const uint32_t slot = SlotOf(id);
  return slot == kNone ? nullptr : &slots_[slot].lease;
}

LeaseTable::Past LeaseTable::PastOf(const LeaseId& id) const {
  const auto it = by_id_.find(id);
  if (it == by_id_.end() || it->second < kWasUnreported) return Past::kUnknown;
  return it->second == kWasReported ? Past::kReported : Past::kUnreported;
}

void LeaseTable::Add(const LeaseRecord& lease, OwnerId owner, absl::Time expires) {
  const uint32_t slot = NewSlot();
  slots_[slot].lease = lease;
  by_id_[lease.id] = slot;
  Expire(slot, expires);
  if (lease.key_trial || lease.circuit_trial || lease.undecided) trials_.Set(slot, lease.trial_until);
  Link(slot, owner);
}

std::optional<LeaseRecord> LeaseTable::Remove(const LeaseId& id, bool reported) {
  const auto it = by_id_.find(id);
  if (it == by_id_.end() || it->second >= kWasUnreported) return std::nullopt;
  const uint32_t slot = it->second;
  it->second = reported ? kWasReported : kWasUnreported;
  Free(slot);
  return slots_[slot].lease;
}

bool LeaseTable::Extend(const LeaseId& id, absl::Time expires) {
  const uint32_t slot = SlotOf(id);
  if (slot == kNone) return false;
  Expire(slot, std::max(expires, slots_[slot].expires));
  return true;
}

bool LeaseTable::Adopt(const LeaseId& id, OwnerId owner, absl::Time expires) {
  const uint32_t slot = SlotOf(id);
  if (slot == kNone) return false;
  Unlink(slot);
  Link(slot, owner);
  Expire(slot, expires);
  return true;
}

bool LeaseTable::MarkProgressed(const LeaseId& id) {
  const uint32_t slot = SlotOf(id);
  if (slot == kNone) return false;
  slots_[slot].lease.progressed = true;
  ++flowing_;
  EndTrial(slot);
  return true;
}

void LeaseTable::Orphan(OwnerId owner, absl::Time deadline) {
  const auto it = first_of_.find(owner);
  if (it == first_of_.end()) return;
  for (uint32_t slot = it->second; slot != kNone; slot = slots_[slot].next) {
    slots_[slot].owner = kNoOwner;
    Expire(slot, std::min(deadline, slots_[slot].expires));
  }
  first_of_.erase(it);
}

std::optional<LeaseRecord> LeaseTable::PopExpired(absl::Time now) {
  if (expiries_.NextTime() > now) return std::nullopt;
  const uint32_t slot = expiries_.Next();
  if (slot == kNone) return std::nullopt;
  return Remove(slots_[slot].lease.id, /*reported=*/false);
}

std::optional<LeaseRecord> LeaseTable::PopOverdueTrial(absl::Time now) {
  if (trials_.NextTime() > now) return std::nullopt;
  const uint32_t slot = trials_.Next();
  if (slot == kNone) return std::nullopt;
  const LeaseRecord lease = slots_[slot].lease;
  EndTrial(slot);
  return lease;
}

uint32_t LeaseTable::SlotOf(const LeaseId& id) const {
  const auto it = by_id_.find(id);
  return it == by_id_.end() || it->second >= kWasUnreported ? kNone : it->second;
}

uint32_t LeaseTable::NewSlot() {
  if (free_.empty()) {
    slots_.emplace_back();
    const uint32_t room = static_cast<uint32_t>(slots_.capacity());
    free_.reserve(room);
    expiries_.Reserve(room);
    trials_.Reserve(room);
    return static_cast<uint32_t>(slots_.size() - 1);
  }
  const uint32_t slot = free_.back();
  free_.pop_back();
  return slot;
}

void LeaseTable::Expire(uint32_t slot, absl::Time expires) {
  slots_[slot].expires = expires;
  expiries_.Set(slot, expires);
}

void LeaseTable::EndTrial(uint32_t slot) {
  trials_.Remove(slot);
  LeaseRecord& lease = slots_[slot].lease;
  lease.key_trial = lease.circuit_trial = lease.undecided = false;
}

void LeaseTable::Link(uint32_t slot, OwnerId owner) {
  Slot& entry = slots_[slot];
  entry.owner = owner;
  entry.previous = entry.next = kNone;
  if (owner == kNoOwner) return;
  const auto [first, is_new] = first_of_.try_emplace(owner, slot);
  if (is_new) return;
  entry.next = first->second;
  slots_[entry.next].previous = slot;
  first->second = slot;
}

void LeaseTable::Unlink(uint32_t slot) {
  const Slot& entry = slots_[slot];
  if (entry.owner == kNoOwner) return;
  if (entry.next != kNone) slots_[entry.next].previous = entry.previous;
  if (entry.previous != kNone) {
    slots_[entry.previous].next = entry.next;
  } else if (entry.next != kNone) {
    first_of_[entry.owner] = entry.next;
  } else {
    first_of_.erase(entry.owner);
  }
}

void LeaseTable::Free(uint32_t slot) {
  Unlink(slot);
  expiries_.Remove(slot);
  trials_.Remove(slot);
  if (slots_[slot].lease.progressed) --flowing_;
  Remember(slots_[slot].lease.id);
  free_.push_back(slot);
}

void LeaseTable::Remember(const LeaseId& id) {
  if (ended_.size() < kMemory) {
    ended_.push_back(id);
    return;
  }
  by_id_.erase(ended_[oldest_]);
  ended_[oldest_] = id;
  oldest_ = (oldest_ + 1) % kMemory;
}

}  // namespace ccr::core
