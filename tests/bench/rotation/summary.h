// A run in figures.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tests/bench/rotation/run.h"
#include "tests/bench/rotation/scenario.h"

namespace ccr::rotation {

struct Summary {
  std::string fleet, policy;
  size_t requests = 0, served = 0, bound = 0, calls = 0;
  double goodput = 0;     // served / bound
  double errors = 0;      // share of requests whose client got no complete good answer
  double avoidable = 0;   // share of requests that could have been served and were not: (bound - served) / requests
  double wasted = 0;      // share of calls that served nobody
  double refused = 0;     // share of calls that the key refused: 401, 429
  size_t known_dead = 0;  // calls of keys that were known to be dead
  size_t in_rest = 0;     // calls of keys that had asked to stay away for longer
  double wait_p50 = 0, wait_p99 = 0;  // s, of those served: from arrival to the call that served them
  double cache = 1;                   // prompt-cache hits / best possible
  double fairness = 1;                // most / least served of equal keys, the worst group
  double back_p99 = 0, back_max = 0;  // s, from when a key is well again to when it is ready to be used
  double back_dead_max = 0;           // the same of those that had answered 401
  size_t cut = 0, relayed = 0, refusals = 0, gave_up = 0;  // clients, by what they saw
  size_t probes = 0;
};

Summary Summarize(const Scenario& scenario, const Run& run, size_t bound);

std::string TableHead();
std::string TableRow(const Summary& summary);
std::string ToJson(const Summary& summary);

}  // namespace ccr::rotation
