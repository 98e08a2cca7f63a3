// Where daemons get the time from; everything below them is told the time.
#pragma once

#include <time.h>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace ccr {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

// The wall clock of the moment of construction, moved on by CLOCK_BOOTTIME: readable as a date, never steps when the
// system's clock is set, and goes on while the machine is suspended. It is the clock of all deadlines: those that
// providers gave reach us as durations.
class MonotonicWallClock final : public Clock {
 public:
  MonotonicWallClock() : start_(absl::Now() - SinceBoot()) {}
  absl::Time Now() const override { return start_ + SinceBoot(); }

 private:
  static absl::Duration SinceBoot() {
    timespec time = {};
    clock_gettime(CLOCK_BOOTTIME, &time);
    return absl::DurationFromTimespec(time);
  }

  const absl::Time start_;  // when the machine started
};

}  // namespace ccr
