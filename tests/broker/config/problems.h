// What the tests of the configuration read of its problems.
#pragma once

#include <string>
#include <vector>

#include "broker/config/config.h"

namespace ccr {

inline constexpr auto kError = ConfigProblem::Severity::kError;
inline constexpr auto kWarning = ConfigProblem::Severity::kWarning;

// A line each.
inline std::string Show(const std::vector<ConfigProblem>& problems) {
  std::string out;
  for (const ConfigProblem& problem : problems) out += problem.ToString() + "\n";
  return out;
}

}  // namespace ccr
