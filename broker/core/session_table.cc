#include "broker/core/session_table.h"

namespace ccr::core {

KeyIndex SessionTable::Find(SessionHash session, absl::Time now) const {
  if (session == kNoSession) return kNoKey;
  const auto it = slot_of_.find(session);
  return it == slot_of_.end() || IsOver(slots_[it->second], now) ? kNoKey : slots_[it->second].key;
}

void SessionTable::ForgetAssumed(SessionHash session, KeyIndex key) {
  if (session == kNoSession) return;
  const auto it = slot_of_.find(session);
  if (it == slot_of_.end()) return;
  const Slot& slot = slots_[it->second];
  if (slot.assumed && slot.key == key) Free(it->second);
}

void SessionTable::PutOne(SessionHash session, KeyIndex key, bool assumed, absl::Time now) {
  Expire(now);
  const auto it = slot_of_.find(session);
  uint32_t slot = kNone;
  if (it != slot_of_.end()) {
    slot = it->second;
    Unlink(slot);
  } else {
    slot = NewSlot();
    slot_of_[session] = slot;
  }
  slots_[slot].session = session;
  slots_[slot].succeeded = now;
  slots_[slot].key = key;
  slots_[slot].assumed = assumed;
  LinkNewest(slot);
}

uint32_t SessionTable::Size(absl::Time now) {
  Expire(now);
  return static_cast<uint32_t>(slot_of_.size());
}

void SessionTable::Expire(absl::Time now) {
  while (oldest_ != kNone && IsOver(slots_[oldest_], now)) Free(oldest_);
}

uint32_t SessionTable::NewSlot() {
  if (slot_of_.size() >= max_sessions_) Free(oldest_);
  if (free_.empty()) {
    slots_.emplace_back();
    free_.reserve(slots_.capacity());
    return static_cast<uint32_t>(slots_.size() - 1);
  }
  const uint32_t slot = free_.back();
  free_.pop_back();
  return slot;
}

void SessionTable::LinkNewest(uint32_t slot) {
  slots_[slot].newer = kNone;
  slots_[slot].older = newest_;
  (newest_ == kNone ? oldest_ : slots_[newest_].newer) = slot;
  newest_ = slot;
}

void SessionTable::Unlink(uint32_t slot) {
  const Slot& entry = slots_[slot];
  (entry.newer == kNone ? newest_ : slots_[entry.newer].older) = entry.older;
  (entry.older == kNone ? oldest_ : slots_[entry.older].newer) = entry.newer;
}

void SessionTable::Free(uint32_t slot) {
  Unlink(slot);
  slot_of_.erase(slots_[slot].session);
  free_.push_back(slot);
}

}  // namespace ccr::core
