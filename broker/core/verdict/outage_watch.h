// How probes find the end of an outage.
#pragma once

#include <algorithm>

#include "absl/time/time.h"

namespace ccr::core {

// A probe costs nobody anything, so it may come sooner than the next request that is tried: each half second at first,
// then each tenth of the outage's age, 30 s at most. It calls for a trial when it succeeds after one that failed. One
// that succeeds during the outage does not see it; neither does one that called for a trial which failed: then the
// watch is over. Not thread-safe; no clock.
class OutageWatch {
 public:
  void Begin(absl::Time now) {
    *this = OutageWatch();
    began_ = now;
    due_ = now + Gap(now);
  }
  void End() { *this = OutageWatch(); }
  void OnTrialFailed() {
    if (called_) End();
  }

  absl::Time due() const { return due_; }  // of the next probe; InfiniteFuture while one is in flight
  void OnProbeStarted() { due_ = absl::InfiniteFuture(); }
  // True when a trial is to be made.
  bool OnProbe(bool failed, absl::Time now) {
    if (began_ == absl::InfiniteFuture()) return false;
    if (failed) due_ = now + Gap(now);
    called_ = seen_ && !failed;
    seen_ |= failed;
    return called_;
  }

 private:
  absl::Duration Gap(absl::Time now) const {
    return std::clamp((now - began_) / 10, absl::Milliseconds(500), absl::Seconds(30));
  }

  absl::Time began_ = absl::InfiniteFuture();  // InfiniteFuture: nothing is watched
  absl::Time due_ = absl::InfiniteFuture();
  bool seen_ = false;    // a probe has failed
  bool called_ = false;  // the last one called for a trial
};

}  // namespace ccr::core
