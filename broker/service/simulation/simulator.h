// One pool's record under the rules of now and under others, side by side.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/core/pool_spec.h"
#include "broker/core/snapshot.h"
#include "broker/service/simulation/counts.h"
#include "broker/service/simulation/record.h"

namespace ccr::simulation {

inline constexpr size_t kMaxRequests = 100'000;  // of a pool that are replayed: the last ones

// How those who lease try again.
struct Retries {
  bool enabled = true;
  uint32_t most = 3;
};

struct PoolPast {
  Record record;
  core::PoolSpec spec;               // as configured now
  std::vector<core::KeyIndex> past;  // of spec.keys, in their order
  std::vector<core::KeySpec> keys;   // by KeyIndex, those that left too
  std::vector<core::KeySnapshot> states;
  Retries retries;
};

// A pool as it might be. Of `spec` counts what has to do with rotation and limits. A key is the one of that name that the
// pool has; one without a name, that at the same place; else it is new, and answers without limits but its own.
struct Proposal {
  core::PoolSpec spec;
  Retries retries;
};

struct Column {
  std::string strategy;
  Counts run;
  std::vector<std::string> keys;  // the names of run.keys
};

struct PoolSimulation {
  std::string pool;
  absl::Time from, until;  // of the requests
  bool truncated = false;  // there were more before
  Column recorded;
  Column configured;               // the record's requests, with the rules of now
  std::optional<Column> proposed;  // with the others
};

// Pure. Nothing when the record has no request that is over. `strategy`, one of core::StrategyNames() or empty, goes over
// that of the proposal. Ends early, with what is done, once `stop` returns true.
std::optional<PoolSimulation> Simulate(const PoolPast& past, const std::string& strategy, const Proposal* proposal,
                                       const std::function<bool()>& stop);

}  // namespace ccr::simulation
