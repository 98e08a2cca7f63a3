#include "broker/core/strategies/round_robin.h"

#include "broker/core/strategies/excluded.h"

namespace ccr::core {
namespace {

constexpr KeyIndex kHead = 0;

constexpr KeyIndex Slot(KeyIndex key) {
  return key + 1;
}
constexpr KeyIndex KeyOf(KeyIndex slot) {
  return slot - 1;
}

}  // namespace

RoundRobin::RoundRobin() : ring_{Link{kHead, kHead}} {}

void RoundRobin::Reserve(KeyIndex capacity) {
  if (Slot(capacity) > ring_.size()) ring_.resize(Slot(capacity));
}

void RoundRobin::Insert(KeyIndex key) {
  LinkLast(Slot(key));
}

void RoundRobin::Erase(KeyIndex key) {
  Unlink(Slot(key));
}

KeyIndex RoundRobin::Pick(const Excluded& excluded, absl::Time /*now*/, absl::BitGenRef /*random*/) {
  for (KeyIndex slot = ring_[kHead].next; slot != kHead; slot = ring_[slot].next) {
    if (!excluded.Has(KeyOf(slot))) return KeyOf(slot);
  }
  return kNoKey;
}

void RoundRobin::OnLeased(KeyIndex key, absl::Time /*now*/) {
  const KeyIndex slot = Slot(key);
  if (ring_[slot].next == kNoKey) return;
  Unlink(slot);
  LinkLast(slot);
}

void RoundRobin::LinkLast(KeyIndex slot) {
  const KeyIndex last = ring_[kHead].previous;
  ring_[slot] = {last, kHead};
  ring_[last].next = slot;
  ring_[kHead].previous = slot;
}

void RoundRobin::Unlink(KeyIndex slot) {
  const Link link = ring_[slot];
  ring_[link.previous].next = link.next;
  ring_[link.next].previous = link.previous;
  ring_[slot] = {};
}

}  // namespace ccr::core
