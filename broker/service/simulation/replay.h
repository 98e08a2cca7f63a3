// A record's requests through the core once more, under other rules.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/time/time.h"
#include "broker/core/pool_spec.h"
#include "broker/service/simulation/counts.h"
#include "broker/service/simulation/facts.h"
#include "broker/service/simulation/history.h"

namespace ccr::simulation {

// What is different, or not, from what the record was made under.
struct Rules {
  core::PoolSpec spec;               // fingerprints unique
  std::vector<core::KeyIndex> past;  // the KeyIndex in the record of each of its keys; kNoKey: a new key
  // As those who lease do it: they try again after an error, a fault of the provider so often.
  bool retry = true;
  uint32_t max_retries = 3;
  absl::Duration recorded_wait;  // queue_wait when the record was made: who allowed that waits as long as `spec` says
};

// Pure, in virtual time: the requests come when they came, have the sessions and models that they had, and retry as the
// proxy does; ProviderModel answers. Counts::keys is in the order of rules.spec.keys. All keys are as new at the beginning.
// The same arguments make the same run. `stop` is asked now and then: true ends it early, with what is done.
Counts Replay(const History& history, const PoolFacts& facts, const Rules& rules, const std::function<bool()>& stop);

}  // namespace ccr::simulation
