// Times as numbers, for rates.
#pragma once

#include <algorithm>

#include "absl/time/time.h"

namespace ccr::core {

inline constexpr double kMinute = 60;

inline double Seconds(absl::Duration duration) {
  return absl::ToDoubleSeconds(duration);
}

// Rounding must not bring a caller back a nanosecond too early.
inline absl::Duration After(double seconds) {
  return absl::Seconds(std::min(seconds, 1e9)) + absl::Microseconds(1);
}

}  // namespace ccr::core
