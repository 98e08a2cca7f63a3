// The leases in flight, and the memory of those that ended.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "broker/core/deadline_heap.h"
#include "broker/core/model_table.h"
#include "broker/core/types.h"

namespace ccr::core {

struct LeaseRecord {
  LeaseId id;
  KeyIndex key = kNoKey;
  uint64_t sequence = 0;       // the how-manieth grant of the pool; 0 = of an earlier run of the broker
  bool key_trial = false;      // it tries a disabled key
  bool circuit_trial = false;  // it tries an open circuit
  SessionHash session = kNoSession;
  absl::Time trial_until = absl::InfiniteFuture();  // of a trial, or while undecided: its time for a verdict
  bool progressed = false;                          // a good answer has begun
  // An earlier lease of its request was refused: the number of that; see InquiryTable.
  uint64_t inquiry = 0;
  ModelId model = kAnyModel;
  absl::Time granted = absl::InfinitePast();
  uint64_t tokens = 0;     // estimated
  bool undecided = false;  // its key, lane or pool waits for its verdict (see Ramp)
};

// Law: a lease is in the table from Add to exactly one of Remove and PopExpired; then its id is remembered as reported
// or not, among the last 16384 that ended. Every operation is O(log n), none allocates once the table has been as full.
// A trial or undecided lease that progresses or whose time is over is a lease like any other from then on.
// Not thread-safe; no clock.
class LeaseTable {
 public:
  enum class Past { kUnknown, kReported, kUnreported };
  static constexpr size_t kMemory = 16384;

  uint32_t size() const { return static_cast<uint32_t>(slots_.size() - free_.size()); }
  uint32_t flowing() const { return flowing_; }      // leases that have progressed
  const LeaseRecord* Find(const LeaseId& id) const;  // nullptr when not in flight; valid until the next change
  Past PastOf(const LeaseId& id) const;

  void Add(const LeaseRecord& lease, OwnerId owner, absl::Time expires);  // precondition: the id is new
  // The lease as it was; nothing when it is not in flight.
  std::optional<LeaseRecord> Remove(const LeaseId& id, bool reported);
  // All false when the lease is not in flight.
  bool Extend(const LeaseId& id, absl::Time expires);  // never shortens
  bool Adopt(const LeaseId& id, OwnerId owner, absl::Time expires);
  bool MarkProgressed(const LeaseId& id);  // precondition: it has not yet

  // Nobody owns the owner's leases any more, and they expire at `deadline` at the latest. O(k log n) for k leases.
  void Orphan(OwnerId owner, absl::Time deadline);

  absl::Time NextExpiry() const { return expiries_.NextTime(); }
  // Ends the next lease that expires at `now` or before.
  std::optional<LeaseRecord> PopExpired(absl::Time now);
  absl::Time NextTrialEnd() const { return trials_.NextTime(); }
  // The next trial whose time is over at `now` or before, as it was until then.
  std::optional<LeaseRecord> PopOverdueTrial(absl::Time now);

 private:
  static constexpr uint32_t kNone = DeadlineHeap::kNone;
  // In the place of a slot: leases that ended.
  static constexpr uint32_t kWasReported = kNone - 1;
  static constexpr uint32_t kWasUnreported = kNone - 2;

  // Law: by_id_[slots_[s].lease.id] == s for every s not in free_; expiries_ holds the same slots, and trials_ those of
  // trials and undecided leases. The slots of one owner form a list from first_of_[owner]; leases of kNoOwner are in no
  // list. What else is in by_id_ has ended, and is in ended_.
  struct Slot {
    LeaseRecord lease;
    OwnerId owner = kNoOwner;
    absl::Time expires;
    uint32_t previous = kNone;
    uint32_t next = kNone;
  };

  uint32_t SlotOf(const LeaseId& id) const;
  uint32_t NewSlot();
  void Expire(uint32_t slot, absl::Time expires);
  void EndTrial(uint32_t slot);
  void Link(uint32_t slot, OwnerId owner);
  void Unlink(uint32_t slot);
  void Free(uint32_t slot);
  void Remember(const LeaseId& id);

  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  uint32_t flowing_ = 0;
  absl::flat_hash_map<LeaseId, uint32_t> by_id_;
  absl::flat_hash_map<OwnerId, uint32_t> first_of_;
  DeadlineHeap expiries_;
  DeadlineHeap trials_;

  // A ring of the last ends, oldest at oldest_ once it is full.
  std::vector<LeaseId> ended_;
  size_t oldest_ = 0;
};

}  // namespace ccr::core
