// How well a replay of a record foretells what another strategy does.
#pragma once

#include <cstddef>
#include <string>

#include "broker/service/simulation/counts.h"
#include "tests/bench/rotation/policies.h"
#include "tests/bench/rotation/scenario.h"

namespace ccr::rotation {

struct Foretold {
  std::string fleet;
  simulation::Counts recorded, replayed;  // under the strategy of the record
  simulation::Counts foretold, real;      // under the other: by the replay, and by a run of its own
};

// Runs the scenario under `options`, which is recorded, and again under `other`.
Foretold Foretell(const Scenario& scenario, const PoolOptions& options, const std::string& other);

std::string ForetoldHead();
std::string ForetoldRow(const Foretold& row);

// The mean distance between foretold and real, in points of a hundred.
class ForetoldError {
 public:
  void Add(const Foretold& row);
  std::string ToString() const;

 private:
  size_t rows_ = 0;
  double served_ = 0, wasted_ = 0, shares_ = 0;   // of the replay from the real run of the other strategy
  double served_same_ = 0, wasted_same_ = 0;      // of the replay from the record
  double served_change_ = 0, wasted_change_ = 0;  // of the real run from the record: what is to be foretold
  size_t right_ = 0, told_ = 0;  // fleets of which it says rightly whether more or less is wasted, of those that differ
};

}  // namespace ccr::rotation
