// A picture of one run.
#pragma once

#include <string>

#include "tests/bench/rotation/run.h"
#include "tests/bench/rotation/scenario.h"
#include "tests/bench/rotation/summary.h"

namespace ccr::rotation {

// SVG: a lane for each key over time. Its background is what befell the key and how the policy kept it out, its marks
// are the calls by what came of them. Below: clients that got an error, and how many waited.
std::string Plot(const Scenario& scenario, const Run& run, const Summary& summary);

}  // namespace ccr::rotation
