#include "broker/core/lanes.h"

#include <algorithm>

namespace ccr::core {

void LaneTable::Reserve(KeyIndex capacity) {
  capacity_ = std::max(capacity_, capacity);
  closed_of_.resize(capacity_, 0);
  lanes_of_.resize(capacity_, 0);
  for (Model& model : models_) {
    model.closed.Reserve(capacity_);
    model.barred.Reserve(capacity_);
  }
}

Lane* LaneTable::FindAmong(KeyIndex key, ModelId model) {
  const auto it = slots_by_id_.find(IdOf(key, model));
  return it == slots_by_id_.end() ? nullptr : &slots_[it->second].lane;
}

Lane& LaneTable::Open(KeyIndex key, ModelId model) {
  const auto [it, is_new] = slots_by_id_.try_emplace(IdOf(key, model), static_cast<uint32_t>(slots_.size()));
  if (!is_new) return slots_[it->second].lane;
  if (free_.empty()) {
    slots_.emplace_back();
    if (slots_.size() > wakes_capacity_) wakes_.Reserve(wakes_capacity_ = static_cast<uint32_t>(2 * slots_.size()));
  } else {
    it->second = free_.back();
    free_.pop_back();
  }
  std::vector<uint32_t>& lanes = ModelOf(model).lanes;
  Slot& slot = slots_[it->second];
  slot = Slot();
  slot.lane.key = key;
  slot.lane.model = model;
  slot.place = static_cast<uint32_t>(lanes.size());
  lanes.push_back(it->second);
  ++lanes_of_[key];
  return slot.lane;
}

void LaneTable::Settle(KeyIndex key, ModelId model, Standing standing, absl::Time now) {
  if (!Has(model)) return;
  const auto it = slots_by_id_.find(IdOf(key, model));
  if (it == slots_by_id_.end()) return;
  Slot& slot = slots_[it->second];
  const absl::Time opens_at = slot.lane.RoomAt(1, now);
  const bool held = opens_at > now || slot.lane.IsOver(now);
  if (held) {
    wakes_.Set(it->second, opens_at);
  } else {
    wakes_.Remove(it->second);
  }
  slot.closed = held || slot.lane.IsFull();
  Model& of = models_[model];
  Close(key, &of, slot.closed || of.barred.Contains(key), standing);
  if (!held && !slot.lane.ramp.climbs() && slot.lane.refusals == 0 && slot.lane.pacer == nullptr) {
    Free(it->second);
  }
}

void LaneTable::Bar(KeyIndex key, ModelId model, bool barred, Standing standing) {
  if (IsBarred(key, model) == barred) return;
  Model& of = ModelOf(model);
  of.barred.Set(key, barred);
  of.barred_count += barred ? 1 : -1;
  const auto it = slots_by_id_.find(IdOf(key, model));
  Close(key, &of, barred || (it != slots_by_id_.end() && slots_[it->second].closed), standing);
}

void LaneTable::Drop(KeyIndex key, Standing standing) {
  for (ModelId model = 0; model < models_.size(); ++model) {
    Bar(key, model, false, standing);
    const auto it = slots_by_id_.find(IdOf(key, model));
    if (it == slots_by_id_.end()) continue;
    Close(key, &models_[model], false, standing);
    Free(it->second);
  }
}

void LaneTable::OnStanding(KeyIndex key, Standing before, Standing after) {
  if (closed_of_[key] == 0) return;
  for (Model& model : models_) {
    if (model.closed_count == 0 || !model.closed.Contains(key)) continue;
    --model.closed_by[static_cast<size_t>(before)];
    ++model.closed_by[static_cast<size_t>(after)];
  }
}

const KeySet* LaneTable::Closed(ModelId model) const {
  return model < models_.size() && models_[model].closed_count > 0 ? &models_[model].closed : nullptr;
}

bool LaneTable::IsClosed(KeyIndex key, ModelId model) const {
  const KeySet* const closed = Closed(model);
  return closed != nullptr && closed->Contains(key);
}

uint32_t LaneTable::CountClosed(ModelId model, Standing standing) const {
  return model < models_.size() ? models_[model].closed_by[static_cast<size_t>(standing)] : 0;
}

bool LaneTable::IsBarred(KeyIndex key, ModelId model) const {
  return model < models_.size() && models_[model].barred_count > 0 && models_[model].barred.Contains(key);
}

LaneTable::Model& LaneTable::ModelOf(ModelId model) {
  if (model >= models_.size()) {
    models_.resize(model + 1);
    Reserve(capacity_);
  }
  return models_[model];
}

void LaneTable::Close(KeyIndex key, Model* model, bool closed, Standing standing) {
  if (model->closed.Contains(key) == closed) return;
  const int change = closed ? 1 : -1;
  model->closed.Set(key, closed);
  model->closed_count += change;
  model->closed_by[static_cast<size_t>(standing)] += change;
  closed_of_[key] += change;
}

void LaneTable::Free(uint32_t slot) {
  const Lane& lane = slots_[slot].lane;
  std::vector<uint32_t>& lanes = models_[lane.model].lanes;
  lanes[slots_[slot].place] = lanes.back();
  slots_[lanes.back()].place = slots_[slot].place;
  lanes.pop_back();
  --lanes_of_[lane.key];
  wakes_.Remove(slot);
  slots_by_id_.erase(IdOf(lane.key, lane.model));
  slots_[slot].lane.pacer.reset();
  free_.push_back(slot);
}

}  // namespace ccr::core
