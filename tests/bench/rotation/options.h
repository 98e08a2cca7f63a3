// The flags of the bench's programs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/rotation/policies.h"
#include "tests/bench/rotation/scenario.h"

namespace ccr::rotation {

struct Options {
  std::string fleet, plot;
  std::string foretell;  // a strategy; empty: the table of policies
  uint64_t random = 0, worst = 10, seed = 1;
  double load = 0;     // 0 = the fleet's own
  double minutes = 0;  // 0 = the fleet's own
  bool json = false, seer = false, describe = false;
  PoolOptions pool;
};

// Ends the program, 2, after bad flags, and 0 after --help.
Options ReadOptions(int argc, char** argv);
[[noreturn]] void Usage(const std::string& problem);

// The fleets that are asked for, with load and length as asked.
std::vector<Fleet> FleetsOf(const Options& options);

}  // namespace ccr::rotation
