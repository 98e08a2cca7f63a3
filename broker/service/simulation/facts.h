// What a record tells of the keys themselves, whoever chose among them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "broker/core/pool_spec.h"
#include "broker/core/snapshot.h"
#include "broker/service/simulation/history.h"

namespace ccr::simulation {

inline constexpr absl::Duration kMinute = absl::Minutes(1);

// From `from` on and before `until` every call is answered so.
struct Spell {
  absl::Time from, until;
  core::Outcome outcome = core::Outcome::kNeutral;
  int http_status = 0;
  bool told = false;  // the answer says when it is over
};

struct KeyFacts {
  std::vector<Spell> spells;  // by `from`
  uint64_t rpm = 0, tpm = 0;  // in any minute, by the provider; 0 = no limit is known
  bool tells_return = true;   // with a 429 comes the time until there is room
  bool tells_limit = false;   // with every answer comes what is left of rpm
  uint32_t max_in_flight = 0;
  double flaky = 0;     // share of calls that fail though nothing is wrong with the key
  double slowness = 1;  // its times, by those of all keys
};

struct PoolFacts {
  std::vector<KeyFacts> keys;        // by KeyIndex
  KeyFacts unknown;                  // of a key that the record knows nothing of
  std::vector<Spell> overloads;      // of the provider, by `from`
  absl::Duration first_byte, total;  // of a good answer, the median
  absl::Duration failure;            // until a call has failed, the median
};

// Pure. `specs` by KeyIndex. The rules, for each key:
//   auth, permission   from the call on until a call or probe succeeds. Of a request that no other key served, for that
//                      call alone, unless a probe was refused as well
//   quota              until its announced end, else the same
//   upstream failure   alone between two successes: a share of calls (`flaky`); several: from the first to the last
//   overloaded         the same, of all keys
//   rate limited       rpm is what was served in the minute before such an answer, the most of all these, and no less
//                      than was served in any minute. Where that was less than half of it, others use the key, and where
//                      the announced time is above two minutes, another limit is meant: until the announced end
//   no such answer     rpm is what answers told, else what is declared
//   not one call       as its state is now
PoolFacts FactsOf(const History& history, absl::Span<const core::KeySpec> specs,
                  absl::Span<const core::KeySnapshot> states);

}  // namespace ccr::simulation
