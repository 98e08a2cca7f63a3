// What the answer to a wish for a key may be.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

#include "absl/time/time.h"
#include "broker/core/types.h"

namespace ccr::core {

struct Grant {
  LeaseId id;
  KeyIndex key = kNoKey;
  bool trial = false;            // half-open trial of a key or of the circuit
  uint32_t candidates_left = 0;  // other keys that could be granted now
};

inline constexpr std::string_view kOwnLimits = "own_limits";

struct Refusal {
  enum class Why { kNoneAvailable, kAllDisabled, kCircuitOpen, kQueueFull, kWaitedTooLong };
  Why why = Why::kNoneAvailable;
  absl::Time retry_at = absl::InfiniteFuture();  // the earliest return of a key; infinite when none is in sight
  // Of kCircuitOpen: why it opened; kOwnLimits when rpm or max_concurrent hold back keys that work. Static storage.
  std::string_view reason = {};
};

using LeaseResult = std::variant<Grant, Refusal>;

}  // namespace ccr::core
