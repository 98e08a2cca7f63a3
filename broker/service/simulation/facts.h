// What a record tells of the keys themselves, whoever chose among them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "broker/core/pool_spec.h"
#include "broker/core/snapshot.h"
#include "broker/service/simulation/history.h"
#include "broker/service/simulation/limit.h"

namespace ccr::simulation {

// From `from` on and before `until` every call is answered so.
struct Spell {
  absl::Time from, until;
  core::Outcome outcome = core::Outcome::kNeutral;
  int http_status = 0;
  bool told = false;  // the answer says when it is over
};

struct KeyFacts {
  std::vector<Spell> spells;                // by `from`
  CallLimit limit;                          // by the provider, of all models together
  std::map<uint16_t, CallLimit> of_models;  // not empty: of each of these alone, instead
  uint64_t tpm = 0;                         // in any minute, by the provider; 0 = no limit is known
  bool tells_return = true;                 // with a 429 comes the time until there is room
  bool tells_limit = false;                 // with every answer comes what is left
  uint32_t max_in_flight = 0;
  double flaky = 0;     // share of calls that fail though nothing is wrong with the key
  double cut = 0;       // share of calls whose good answer ends early, before the eyes of its client
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
//   a cut answer       a share of calls (`cut`)
//   upstream failure   alone between two successes: a share of calls (`flaky`); several: from the first to the last
//   overloaded         the same, of all keys
//   rate limited       the limit is what answers told, else the one that fits such refusals best (limit.h). Those that came
//                      when less than half of it was used (others use the key), or that announce more than two minutes
//                      (another limit), are a rest until the announced end
//   nothing of these   the limits are what is declared
//   not one call       as its state is now
PoolFacts FactsOf(const History& history, absl::Span<const core::KeySpec> specs,
                  absl::Span<const core::KeySnapshot> states);

}  // namespace ccr::simulation
