// Where daemons get the time from; everything below them is told the time.
#pragma once

#include <chrono>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace ccr {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

// The wall clock of the moment of construction, moved on by the monotonic clock: readable as a date, and never steps
// when the system's clock is set.
class MonotonicWallClock final : public Clock {
 public:
  MonotonicWallClock() : start_(absl::Now()), steady_start_(std::chrono::steady_clock::now()) {}
  absl::Time Now() const override {
    return start_ + absl::FromChrono(std::chrono::steady_clock::now() - steady_start_);
  }

 private:
  const absl::Time start_;
  const std::chrono::steady_clock::time_point steady_start_;
};

}  // namespace ccr
