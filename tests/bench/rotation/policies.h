// The policies that are compared.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "tests/bench/rotation/run.h"
#include "tests/bench/rotation/scenario.h"

namespace ccr::rotation {

struct PoolOptions {
  std::string strategy = "round_robin";
  absl::Duration max_wait = absl::Seconds(30);
};

// core::Pool behind clients that try again as the proxy does, with its RetryPlan and its reading of answers.
Run RunPool(const Scenario& scenario, const PoolOptions& options);

// nginx: the next key in turn; after a 429, a 5xx or a failed connection the next one, each key once; a key that failed
// so is out for 10 s. Nobody waits.
Run RunNginx(const Scenario& scenario);

}  // namespace ccr::rotation
