// Fleets with names, and fleets that nobody has seen.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/rotation/scenario.h"

namespace ccr::rotation {

std::vector<Fleet> NamedFleets();
// Of 2 to 16 keys; the same seed gives the same fleet.
Fleet RandomFleet(uint64_t seed);

std::string Describe(const Fleet& fleet);  // a line for each key

}  // namespace ccr::rotation
