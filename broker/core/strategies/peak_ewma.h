// How `lowest_latency` values a key: peak-sensitive moving averages of latency.
//
// Source: Finagle's PeakEwma load balancer metric, described in "Beyond Round Robin: Load Balancing for Latency"
// (Buoyant, 2016); Envoy has the same as peak_ewma.
#pragma once

#include <cmath>
#include <cstdint>

#include "absl/time/time.h"

namespace ccr::core {

// tau: the time in which the weight of an old average falls to 1/e.
inline constexpr absl::Duration kPeakEwmaDecay = absl::Seconds(10);

// Above every real cost, in seconds.
inline constexpr double kPeakEwmaPenalty = 1e9;

// e^(-elapsed / tau)
inline double PeakEwmaDecay(absl::Duration elapsed) {
  return std::exp(-absl::FDivDuration(elapsed, kPeakEwmaDecay));
}

// The average after `sample`, both in seconds, `elapsed` after the sample before. Bad news counts at once, good news
// slowly:
//   sample                                                 when sample > average
//   average * w + sample * (1 - w),  w = e^(-elapsed/tau)   otherwise
inline double PeakEwma(double average, double sample, absl::Duration elapsed) {
  if (sample > average) return sample;
  const double w = PeakEwmaDecay(elapsed);
  return average * w + sample * (1 - w);
}

// What one more request would cost, in seconds:
//   average * (in_flight + 1)
// An average of 0 means that there was no sample yet. `elapsed` since the last sample lets an idle key forget, so that
// a once slow one is tried again. What is unknown or forgotten makes a key attractive for one request at a time: with a
// request in flight an old average counts in full, and a missing one as kPeakEwmaPenalty.
inline double PeakEwmaCost(double average, uint32_t in_flight, absl::Duration elapsed) {
  if (in_flight == 0) return average * PeakEwmaDecay(elapsed);
  if (average == 0) return kPeakEwmaPenalty + in_flight;
  return average * (in_flight + 1.0);
}

}  // namespace ccr::core
