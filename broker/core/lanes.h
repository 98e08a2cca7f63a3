// What is known of a key for one model alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "broker/core/deadline_heap.h"
#include "broker/core/model_table.h"
#include "broker/core/pacing/pacer.h"
#include "broker/core/pacing/ramp.h"
#include "broker/core/strategies/excluded.h"
#include "broker/core/types.h"

namespace ccr::core {

// What a key waits for.
enum class Standing : uint8_t {
  kReady,   // nothing: its strategy may pick it
  kSpared,  // nothing, but those that are ready come first for a time
  kTrial,   // nothing: DISABLED and its trial is due
  kTimed,   // a time: end of cooldown, next trial, room within a limit
  kBusy,    // the end of a lease: max_concurrent, the trial in flight, or the first successes after a rest
  kOut,     // a probe: DISABLED("auth")
  kAbsent,  // it is no longer in the configuration
};
inline constexpr size_t kStandings = 7;

inline bool IsGrantable(Standing standing) {
  return standing == Standing::kReady || standing == Standing::kSpared || standing == Standing::kTrial;
}

// The way to one model with one key. It is held until a time, or comes back from that.
struct Lane {
  KeyIndex key = kNoKey;
  ModelId model = kAnyModel;
  absl::Time until = absl::InfinitePast();
  std::string_view reason;  // static storage; empty when it is not held
  uint64_t episode = 0;     // leases with lower numbers were granted before the last hold began
  absl::Time since;         // of the last hold
  uint32_t refusals = 0;    // in a row
  Ramp ramp;
  std::unique_ptr<Pacer> pacer;  // of this model's limits; nullptr while nothing is known of them

  bool IsHeld(absl::Time now) const { return until > now; }
  bool IsOver(absl::Time now) const { return until <= now && until != absl::InfinitePast(); }  // still to be woken
  // It waits for a lease to begin or end.
  bool IsFull() const { return ramp.full() || (pacer != nullptr && pacer->full()); }
  // When a request of so many tokens has room; the past when it has.
  absl::Time RoomAt(uint64_t tokens, absl::Time now) const {
    return pacer == nullptr || IsHeld(now) || ramp.first() ? until : std::max(until, pacer->RoomAt(tokens, now));
  }
};

// The lanes of a pool of which something is known, and which keys are closed for each model: because the lane is held, has
// no room or has as many undecided leases as it may after that, or because the key may not serve the model at all. A key is as good
// for a model without lanes as it is for any.
//
// Finding, changing and asking cost O(1), or O(log lanes) where a deadline moves; a key's change of standing O(models)
// where it is closed for some. Only Open, Reserve and Bar allocate. References stay valid until the lane is settled.
// Not thread-safe; no clock.
class LaneTable {
 public:
  void Reserve(KeyIndex capacity);

  bool HasSome(KeyIndex key) const { return key < lanes_of_.size() && lanes_of_[key] > 0; }
  bool HasPacers(KeyIndex key) const;  // some model of the key has limits of its own
  bool Has(ModelId model) const { return model < models_.size() && !models_[model].lanes.empty(); }
  // nullptr when nothing is known
  Lane* Find(KeyIndex key, ModelId model) { return HasSome(key) ? FindAmong(key, model) : nullptr; }
  Lane& Open(KeyIndex key, ModelId model);  // finds or makes it
  // After each change of a lane, and when its time has come. One of which nothing is left to know is dropped.
  void Settle(KeyIndex key, ModelId model, Standing standing, absl::Time now);
  void Bar(KeyIndex key, ModelId model, bool barred, Standing standing);  // the key may not serve that model
  void Drop(KeyIndex key, Standing standing);                             // whatever is known of the key
  void OnStanding(KeyIndex key, Standing before, Standing after);

  const KeySet* Closed(ModelId model) const;  // nullptr when no key is
  bool IsClosed(KeyIndex key, ModelId model) const;
  uint32_t CountClosed(ModelId model, Standing standing) const;
  bool IsBarred(KeyIndex key, ModelId model) const;

  // Calls `see(lane)` for each lane of the model, of the key.
  template <typename See>
  void ForEachOfModel(ModelId model, const See& see) const;
  template <typename See>
  void ForEachOfKey(KeyIndex key, const See& see) const;

  absl::Time NextWake() const { return wakes_.NextTime(); }
  Lane* Due(absl::Time now) { return NextWake() > now ? nullptr : &slots_[wakes_.Next()].lane; }

 private:
  // Laws: slots_by_id_ and models_[m].lanes name the same slots, place being where in the latter. A key is in
  // models_[m].closed while it is barred or its lane is closed; closed_by counts those by their standing, closed_of_
  // the models for which a key is closed, lanes_of_ its lanes. wakes_ has the lanes that are held or have no room.
  struct Slot {
    Lane lane;
    uint32_t place = 0;
    bool closed = false;
  };
  struct Model {
    KeySet closed;
    KeySet barred;
    std::array<uint32_t, kStandings> closed_by{};
    uint32_t closed_count = 0;
    uint32_t barred_count = 0;
    std::vector<uint32_t> lanes;
  };

  static uint64_t IdOf(KeyIndex key, ModelId model) { return uint64_t{model} << 32 | key; }
  Lane* FindAmong(KeyIndex key, ModelId model);
  Model& ModelOf(ModelId model);
  void Close(KeyIndex key, Model* model, bool closed, Standing standing);
  void Free(uint32_t slot);

  KeyIndex capacity_ = 0;
  std::deque<Slot> slots_;  // growing moves none
  std::vector<uint32_t> free_;
  absl::flat_hash_map<uint64_t, uint32_t> slots_by_id_;
  std::vector<Model> models_;
  std::vector<uint32_t> closed_of_, lanes_of_;
  uint32_t wakes_capacity_ = 0;
  DeadlineHeap wakes_;
};

template <typename See>
void LaneTable::ForEachOfModel(ModelId model, const See& see) const {
  if (model >= models_.size()) return;
  for (const uint32_t slot : models_[model].lanes) see(slots_[slot].lane);
}

template <typename See>
void LaneTable::ForEachOfKey(KeyIndex key, const See& see) const {
  if (key >= lanes_of_.size() || lanes_of_[key] == 0) return;
  for (ModelId model = 0; model < models_.size(); ++model) {
    const auto it = slots_by_id_.find(IdOf(key, model));
    if (it != slots_by_id_.end()) see(slots_[it->second].lane);
  }
}

inline bool LaneTable::HasPacers(KeyIndex key) const {
  bool some = false;
  ForEachOfKey(key, [&](const Lane& lane) { some |= lane.pacer != nullptr; });
  return some;
}

}  // namespace ccr::core
