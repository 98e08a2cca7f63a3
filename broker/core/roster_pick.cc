// Which key a request gets, and when there will be one.
#include <algorithm>

#include "broker/core/roster.h"

namespace ccr::core {

void Roster::Consider(absl::Span<const KeyIndex> excluded, ModelId model, uint64_t tokens) {
  model_ = model;
  tokens_ = tokens;
  passed_over_until_ = absl::InfiniteFuture();
  excluded_.clear();
  for (KeyIndex index : excluded) {
    if (index < slots_.size()) excluded_.push_back(index);
  }
  std::sort(excluded_.begin(), excluded_.end());
  excluded_.erase(std::unique(excluded_.begin(), excluded_.end()), excluded_.end());
}

Roster::Choice Roster::Pick(KeyIndex preferred, bool again, absl::Time now, absl::BitGenRef random) {
  for (uint32_t looks = kLooks; looks > 0; --looks) {
    const Choice choice = PickOnce(preferred, again, now, random);
    if (choice.key == kNoKey) return choice;
    const absl::Time room = RoomAt(choice.key, now);
    if (room <= now) return choice;
    passed_over_until_ = std::min(passed_over_until_, room);
    excluded_.push_back(choice.key);
  }
  return {};
}

Roster::Choice Roster::PickOnce(KeyIndex preferred, bool again, absl::Time now, absl::BitGenRef random) {
  const Excluded excluded = View();
  const KeyIndex trial = trials_.NextExcept(excluded);
  if (trial != kNoKey && !again) return {trial, By::kTrial};
  bool over_share = false;
  for (size_t tier = 0; tier < kTiers; ++tier) {
    for (const Standing standing : {Standing::kReady, Standing::kSpared}) {
      if (Is(preferred, standing, tier)) {
        const Slot& slot = slots_[preferred];
        if (IsWithinShare(slot.in_flight, slot.share, load_[tier])) return {preferred, By::kSession};
        over_share = true;
      }
      const KeyIndex index =
          standing == Standing::kReady ? PickReady(tier, now, random) : spared_[tier].BestExcept(excluded);
      if (index != kNoKey) return {index, By::kStrategy, over_share};
    }
  }
  return {trial, By::kTrial};
}

KeyIndex Roster::PickReady(size_t tier, absl::Time now, absl::BitGenRef random) const {
  for (const Strategies* strategies : {&strategies_, &retiring_}) {
    if ((*strategies)[tier] == nullptr) continue;
    const KeyIndex index = (*strategies)[tier]->Pick(View(), now, random);
    if (index != kNoKey) return index;
  }
  return kNoKey;
}

bool Roster::Is(KeyIndex preferred, Standing standing, size_t tier) const {
  if (preferred == kNoKey || slots_[preferred].tier != tier) return false;
  return slots_[preferred].standing == standing && !View().Has(preferred);
}

Roster::Choice Roster::PickTry(absl::Time now) {
  Choice best;
  absl::Time earliest = absl::InfiniteFuture();
  const auto look = [&](KeyIndex index) {
    if (!MayTry(index, now)) return;
    const absl::Time room = RoomAt(index, now);
    if (room < earliest) best.key = index;
    earliest = std::min(earliest, room);
  };
  lanes_.ForEachOfModel(model_, [&](const Lane& lane) {
    if (!Excluded(excluded_).Has(lane.key)) look(lane.key);
  });
  const size_t asked = excluded_.size();
  for (uint32_t looks = kLooks; looks > 0 && excluded_.size() < excluded_.capacity(); --looks) {
    const uint32_t next = wakes_.NextExcept(View());
    if (next == kNoKey) break;
    look(next);
    excluded_.push_back(next);
  }
  excluded_.resize(asked);
  return best;
}

bool Roster::MayTry(KeyIndex index, absl::Time now) {
  Slot& slot = slots_[index];
  const bool open =
      slot.standing == Standing::kReady || slot.standing == Standing::kSpared || slot.standing == Standing::kTimed;
  if (!open || lanes_.IsBarred(index, model_) || !slot.key.MayTry(tokens_, now)) return false;
  const Lane* const lane = lanes_.Find(index, model_);
  if (lane == nullptr) return true;
  const uint64_t tokens = slot.key.EstimateOf(tokens_);
  return !lane->IsHeld(now) && !lane->IsFull() &&
         (lane->RoomAt(tokens, now) <= now || lane->pacer->MayTry(tokens, now));
}

uint32_t Roster::Candidates() const {
  const auto excluded = std::count_if(excluded_.begin(), excluded_.end(), [&](KeyIndex index) {
    return IsGrantable(standing(index)) && !lanes_.IsClosed(index, model_);
  });
  return CountOpen(Standing::kReady) + CountOpen(Standing::kSpared) + CountOpen(Standing::kTrial) -
         static_cast<uint32_t>(excluded);
}

uint32_t Roster::CountOpen(Standing standing) const {
  return by_standing_[static_cast<size_t>(standing)] - lanes_.CountClosed(model_, standing);
}

Opening Roster::EarliestReturn(absl::Time now) {
  if (Candidates() > 0) return {now};
  absl::Time earliest = passed_over_until_;
  lanes_.ForEachOfModel(model_, [&](const Lane& lane) {
    Slot& slot = slots_[lane.key];
    const bool out = slot.standing == Standing::kOut || slot.standing == Standing::kAbsent;
    if ((lane.RoomAt(tokens_, now) <= now && !lane.IsOver(now)) || out || lanes_.IsBarred(lane.key, model_)) return;
    if (Excluded(excluded_).Has(lane.key)) return;
    const absl::Time key = slot.standing == Standing::kTimed ? slot.wake : now;
    earliest = std::min(earliest, std::max(key, RoomAt(lane.key, now)));
  });
  const size_t asked = excluded_.size();
  for (uint32_t looks = kLooks; looks > 0 && excluded_.size() < excluded_.capacity(); --looks) {
    const uint32_t next = wakes_.NextExcept(View());
    if (next == kNoKey || slots_[next].wake >= earliest) break;
    earliest = std::min(earliest, std::max(slots_[next].wake, RoomAt(next, now)));
    excluded_.push_back(next);
  }
  excluded_.resize(asked);
  return {earliest > now ? earliest : now + kNextStep, MayReturnAnyTime(now)};
}

absl::Time Roster::RoomAt(KeyIndex index, absl::Time now) {
  const absl::Time room = slots_[index].key.RoomAt(tokens_, now);
  const Lane* const lane = lanes_.Find(index, model_);
  return lane == nullptr ? room : std::max(room, lane->RoomAt(slots_[index].key.EstimateOf(tokens_), now));
}

bool Roster::MayReturnAnyTime(absl::Time now) const {
  const auto excluded = std::count_if(excluded_.begin(), excluded_.end(), [&](KeyIndex index) {
    return standing(index) == Standing::kBusy && !lanes_.IsClosed(index, model_);
  });
  if (CountOpen(Standing::kBusy) > static_cast<uint32_t>(excluded)) return true;
  bool busy = false;
  lanes_.ForEachOfModel(model_, [&](const Lane& lane) {
    const Standing key = standing(lane.key);
    const bool may = IsGrantable(key) || key == Standing::kBusy;
    busy |= may && lane.IsFull() && lane.RoomAt(1, now) <= now && !lanes_.IsBarred(lane.key, model_) &&
            !Excluded(excluded_).Has(lane.key);
  });
  return busy;
}

}  // namespace ccr::core
