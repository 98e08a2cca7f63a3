// What became of an attempt to take the configuration file into effect.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "broker/config/config.h"

namespace ccr {

struct ReloadReport {
  bool accepted = false;  // false: the old configuration stays
  absl::Time time;
  std::vector<ConfigProblem> problems;     // errors and warnings
  std::vector<std::string> changes;        // ConfigOutline::ChangesTo
  std::vector<std::string> needs_restart;  // ConfigOutline::NeedRestart, seen from the start of the process
};

using ReloadDone = std::function<void(const ReloadReport&)>;

}  // namespace ccr
