// The policies that are compared.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "broker/core/pool_spec.h"
#include "broker/service/simulation/recorder.h"
#include "tests/bench/rotation/run.h"
#include "tests/bench/rotation/scenario.h"

namespace ccr::rotation {

struct PoolOptions {
  std::string strategy = "round_robin";
  absl::Duration max_wait = absl::Seconds(30);
  simulation::Recorder* record = nullptr;  // told as the broker's is; null: nothing is
};

// What RunPool configures.
core::PoolSpec SpecOf(const Scenario& scenario, const PoolOptions& options);

// core::Pool behind clients that try again as the proxy does, with its RetryPlan and its reading of answers.
Run RunPool(const Scenario& scenario, const PoolOptions& options);

// nginx: the next key in turn; after a 429, a 5xx or a failed connection the next one, each key once; a key that failed
// so is out for 10 s. Nobody waits.
Run RunNginx(const Scenario& scenario);

// Somebody who sees what the provider knows of its keys, though not which call of a flaky one will fail: requests wait in
// one line for each model, and go as soon as any key has room. What it serves can be served, so it shows how near the
// bound is to the truth.
Run RunSeer(const Scenario& scenario, absl::Duration max_wait);

}  // namespace ccr::rotation
