// When keys that failures disabled are tried again.
#pragma once

#include <algorithm>
#include <vector>

#include "absl/time/time.h"
#include "broker/core/types.h"

namespace ccr::core {

// A trial that fails is a call for nothing, which another key makes good: its client waits a little longer. What bounds
// trials is their share of all calls. So they come at times that double, and no less often than one in kServed requests
// that the pool serves, shared by the keys that wait for theirs. One that succeeds calls for two more: keys that failed
// together are well again together. Remembers kMost keys. Not thread-safe; no clock.
class TrialPace {
 public:
  void OnServed(absl::Time now) {
    const absl::Duration gap = std::min(now - last_, kLongestGap);
    gap_ += (gap - gap_) / 16;
    last_ = now;
  }
  // Of the next trial.
  absl::Duration LongestWait(absl::Time now) const {
    const absl::Duration gap = std::min(std::max(gap_, now - last_), kLongestGap);
    return std::max(kShortestWait, gap * kServed * std::max<double>(1, static_cast<double>(keys_.size())));
  }

  void Add(KeyIndex key) {
    std::erase(keys_, key);
    if (keys_.size() < kMost) keys_.push_back(key);
  }
  // The first for which that is so, or kNoKey. Forgets it, and those before it.
  template <typename Is>
  KeyIndex TakeIf(const Is& is) {
    const auto found = std::find_if(keys_.begin(), keys_.end(), is);
    const KeyIndex key = found == keys_.end() ? kNoKey : *found;
    keys_.erase(keys_.begin(), found == keys_.end() ? found : found + 1);
    return key;
  }

 private:
  static constexpr int kServed = 150;
  static constexpr size_t kMost = 64;
  static constexpr absl::Duration kShortestWait = absl::Seconds(1);
  static constexpr absl::Duration kLongestGap = absl::Minutes(1);

  absl::Duration gap_ = kLongestGap;  // between successes, smoothed
  absl::Time last_ = absl::InfinitePast();
  std::vector<KeyIndex> keys_;  // those that recovered otherwise too, until they are looked at
};

}  // namespace ccr::core
