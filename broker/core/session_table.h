// Which key a session used last.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "broker/core/types.h"

namespace ccr::core {

// The sessions that succeeded most recently, each with the key of its last success, and those that have begun, with the
// key that is assumed to serve them. One that had none for an hour is forgotten (providers keep prompts cached for 5
// minutes to 1 hour), and so is the one with the oldest success when the table is full. Every operation is O(1),
// amortised for what expires; nothing allocates once the table has been as full. Not thread-safe; no clock: `now` never
// decreases.
class SessionTable {
 public:
  static constexpr absl::Duration kIdle = absl::Hours(1);
  static constexpr uint32_t kMaxSessions = 65536;  // about 4 MB

  explicit SessionTable(uint32_t max_sessions = kMaxSessions) : max_sessions_(max_sessions) {}

  // kNoKey for a session that is not known, and for kNoSession.
  KeyIndex Find(SessionHash session, absl::Time now) const;
  // `session` has succeeded with `key`. Nothing for kNoSession.
  void Remember(SessionHash session, KeyIndex key, absl::Time now) { Put(session, key, /*assumed=*/false, now); }
  // `key` was granted to `session`, which is not known.
  void Assume(SessionHash session, KeyIndex key, absl::Time now) { Put(session, key, /*assumed=*/true, now); }
  // `key` did not serve `session`. What is known is not forgotten, nor another key.
  void ForgetAssumed(SessionHash session, KeyIndex key);

  // Forgets the sessions whose key is not wanted any more. O(size).
  template <typename Predicate>
  void ForgetIf(Predicate unwanted) {
    for (uint32_t slot = newest_; slot != kNone;) {
      const uint32_t next = slots_[slot].older;
      if (unwanted(slots_[slot].key)) Free(slot);
      slot = next;
    }
  }
  void Clear() { *this = SessionTable(max_sessions_); }

  uint32_t Size(absl::Time now);

 private:
  static constexpr uint32_t kNone = kNoKey;

  // Law: slot_of_[slots_[s].session] == s for every s not in free_; these are linked from newest_ to oldest_ by
  // `succeeded`.
  struct Slot {
    SessionHash session = kNoSession;
    absl::Time succeeded;  // or granted, as long as it is assumed
    KeyIndex key = kNoKey;
    bool assumed = false;
    uint32_t newer = kNone;
    uint32_t older = kNone;
  };

  static bool IsOver(const Slot& slot, absl::Time now) { return now - slot.succeeded >= kIdle; }
  void Put(SessionHash session, KeyIndex key, bool assumed, absl::Time now) {
    if (session != kNoSession && max_sessions_ > 0) PutOne(session, key, assumed, now);
  }
  void PutOne(SessionHash session, KeyIndex key, bool assumed, absl::Time now);
  void Expire(absl::Time now);
  uint32_t NewSlot();
  void LinkNewest(uint32_t slot);
  void Unlink(uint32_t slot);
  void Free(uint32_t slot);

  uint32_t max_sessions_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  absl::flat_hash_map<SessionHash, uint32_t> slot_of_;
  uint32_t newest_ = kNone;
  uint32_t oldest_ = kNone;
};

}  // namespace ccr::core
