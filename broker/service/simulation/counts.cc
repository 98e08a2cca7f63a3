#include "broker/service/simulation/counts.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ccr::simulation {
namespace {

// The smallest of them that at least `share` of them do not exceed.
absl::Duration Percentile(std::vector<absl::Duration>* times, double share) {
  if (times->empty()) return absl::ZeroDuration();
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(times->size())));
  const auto at = times->begin() + static_cast<std::ptrdiff_t>(std::max<size_t>(rank, 1) - 1);
  std::nth_element(times->begin(), at, times->end());
  return *at;
}

bool IsWaste(core::Outcome outcome) {
  return outcome != core::Outcome::kSuccess && outcome != core::Outcome::kCallerFault &&
         outcome != core::Outcome::kNeutral;
}

}  // namespace

void Counter::Call(core::KeyIndex key, core::Outcome outcome) {
  ++run_.attempts;
  run_.wasted += IsWaste(outcome) ? 1 : 0;
  if (key >= run_.keys.size()) run_.keys.resize(key + 1);
  ++run_.keys[key].attempts;
  run_.keys[key].served += outcome == core::Outcome::kSuccess ? 1 : 0;
}

void Counter::Finish(Ending ending, absl::Duration waited) {
  ++run_.requests;
  run_.served += ending == Ending::kServed ? 1 : 0;
  run_.errors += ending == Ending::kError ? 1 : 0;
  run_.own_faults += ending == Ending::kOwnFault ? 1 : 0;
  run_.left += ending == Ending::kLeft ? 1 : 0;
  waits_.push_back(waited);
}

Counts Counter::Take() {
  run_.wait_p50 = Percentile(&waits_, 0.5);
  run_.wait_p99 = Percentile(&waits_, 0.99);
  return std::exchange(run_, {});
}

}  // namespace ccr::simulation
