// When keys that failures disabled are tried again.
#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"

namespace ccr::core {

// A trial that fails is a call for nothing, which another key makes good: its client waits a little longer. What bounds
// trials is their share of all calls. So they come at times that double, and no less often than one in kServed requests
// that the pool serves, shared by the keys that wait for theirs, however many these are. Not thread-safe; no clock.
class TrialPace {
 public:
  void OnServed(absl::Time now) {
    const absl::Duration gap = std::min(now - last_, kLongestGap);
    gap_ += (gap - gap_) / 16;
    last_ = now;
  }
  // Of the next trial of one of so many keys.
  absl::Duration LongestWait(uint32_t keys, absl::Time now) const {
    const absl::Duration gap = std::min(std::max(gap_, now - last_), kLongestGap);
    return std::max(kShortestWait, gap * kServed * std::max<double>(1, keys));
  }

 private:
  static constexpr int kServed = 150;
  static constexpr absl::Duration kShortestWait = absl::Seconds(1);
  static constexpr absl::Duration kLongestGap = absl::Minutes(1);

  absl::Duration gap_ = kLongestGap;  // between successes, smoothed
  absl::Time last_ = absl::InfinitePast();
};

}  // namespace ccr::core
