// A clock that tests move.
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"
#include "broker/base/clock.h"

namespace ccr {

class ManualClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::FromUnixNanos(nanos_); }
  void Advance(absl::Duration step) { nanos_ += absl::ToInt64Nanoseconds(step); }

 private:
  std::atomic<int64_t> nanos_{1'700'000'000'000'000'000};
};

}  // namespace ccr
