// How long things wait after they failed. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/random/bit_gen_ref.h"
#include "absl/random/uniform_real_distribution.h"
#include "absl/time/time.h"

namespace ccr::core {

inline constexpr absl::Duration kMaxBackoff = absl::Minutes(30);          // of a key after failures
inline constexpr absl::Duration kMaxRetryAfter = absl::Hours(24);         // of a provider's word for a key
inline constexpr absl::Duration kMaxQuotaWindow = absl::Hours(24 * 400);  // the same of a window of quota
// After a limit's rest of no more than that its pacer alone holds a key back; after others it comes back step by step.
inline constexpr absl::Duration kPacedRest = absl::Seconds(5);
inline constexpr absl::Duration kQuotaBackoff = absl::Hours(1);      // doubles up to kMaxRetryAfter
inline constexpr absl::Duration kMaxProbeBackoff = absl::Hours(24);  // of a key's probe_interval, doubled
inline constexpr absl::Duration kSuspectRest = absl::Seconds(2);     // doubles up to kMaxSuspectRest
inline constexpr absl::Duration kMaxSuspectRest = absl::Minutes(5);
inline constexpr absl::Duration kProbeGap = absl::Seconds(1);  // between probes of one suspect; doubles
inline constexpr absl::Duration kMaxProbeGap = absl::Minutes(10);
inline constexpr absl::Duration kUnprobedBackoff = absl::Minutes(10);  // of a trial in place of a probe; as a probe's
inline constexpr absl::Duration kCircuitBackoff = absl::Seconds(1);    // doubles up to kMaxCircuitBackoff
inline constexpr absl::Duration kMaxCircuitBackoff = absl::Seconds(30);

inline constexpr absl::Duration kFailureBackoff = absl::Seconds(1);  // of a key whose cooldown is not set
inline constexpr absl::Duration kMaxFailureBackoff = absl::Minutes(1);
inline constexpr absl::Duration kTrialBackoff = absl::Seconds(10);  // of its next trial; doubles up to kMaxBackoff

inline constexpr absl::Duration kModelRest = absl::Hours(1);  // of a key for a model that it may not use

// min(cap, base * 2^n)
inline absl::Duration Exponential(absl::Duration base, uint32_t n, absl::Duration cap) {
  return std::min(cap, base * static_cast<double>(uint64_t{1} << std::min<uint32_t>(n, 40)));
}

// min(cap, wait * u), u uniform in [0.9, 1.1)
inline absl::Duration Jittered(absl::Duration wait, absl::Duration cap, absl::BitGenRef random) {
  return std::min(cap, wait * absl::uniform_real_distribution<double>(0.9, 1.1)(random));
}

// A provider's Retry-After within [0, cap].
inline absl::Duration Clamped(absl::Duration retry_after, absl::Duration cap) {
  return std::clamp(retry_after, absl::ZeroDuration(), cap);
}

}  // namespace ccr::core
