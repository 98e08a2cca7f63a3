// The provider of a replay: answers calls as the facts say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "broker/core/types.h"
#include "broker/service/simulation/facts.h"
#include "broker/service/simulation/history.h"

namespace ccr::simulation {

struct Reply {
  core::Outcome outcome = core::Outcome::kSuccess;
  core::Evidence evidence;            // that it is reported with
  std::optional<absl::Duration> end;  // from the call on; nothing: not before its client leaves
  bool taken = false;                 // it counts for the key's limit
};

// A minute's sum of what was taken.
class MinuteWindow {
 public:
  // When `amount` fits into `limit`: `now` when it does. One that is more than the limit goes while nothing is used.
  absl::Time RoomAt(uint64_t amount, uint64_t limit, absl::Time now);
  void Take(uint64_t amount, absl::Time now);

 private:
  void Forget(absl::Time now);

  std::deque<std::pair<absl::Time, uint64_t>> taken_;
  uint64_t sum_ = 0;
};

// Draws nothing: what an attempt of a request meets at a key depends on these and the time alone. Times never decrease. Not
// thread-safe; no clock. History and facts outlive it.
class ProviderModel {
 public:
  // `past` has the KeyIndex in the record for each key of the replay, kNoKey where there is none.
  ProviderModel(const History* history, const PoolFacts* facts, absl::Span<const core::KeyIndex> past);

  // `request` is an index into the history's, `attempt` the number of its call. Ended() follows.
  Reply Call(core::KeyIndex key, size_t request, uint32_t attempt, absl::Time now);
  void Ended(core::KeyIndex key, size_t request, const Reply& reply);
  core::Evidence Probe(core::KeyIndex key, absl::Time now);

 private:
  struct Key {
    const CallLimit& LimitOf(uint16_t model) const;
    LimitMeter& CallsOf(uint16_t model);

    const KeyFacts* facts = nullptr;
    size_t spell = 0;  // the first that is not over
    uint32_t in_flight = 0;
    std::map<uint16_t, LimitMeter> calls;  // by model, where the limit is of each
    MinuteWindow tokens;
  };

  static const Spell* SpellAt(absl::Span<const Spell> spells, size_t* next, absl::Time now);
  Reply Fail(const Spell& spell, absl::Time now) const;
  Reply Refuse(const Key& key, absl::Time room, absl::Time now) const;
  Reply Serve(const Key& key, const PastRequest& request) const;
  static void Cut(Reply* reply);  // a good one
  const KeyFacts& FactsOf(core::KeyIndex past) const;
  static void TellLimit(const CallLimit& limit, LimitMeter& calls, absl::Time now, core::Evidence* evidence);

  const History* const history_;
  const PoolFacts* const facts_;
  std::vector<Key> keys_;
  size_t overload_ = 0;
};

}  // namespace ccr::simulation
