// How much load session affinity may put on one key.
//
// Source: V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent Hashing with Bounded Loads" (arXiv:1608.01350, 2016).
#pragma once

#include <cstdint>

#include "absl/numeric/int128.h"

namespace ccr::core {

// The keys among which load is shared: those that are ACTIVE and of one tier.
struct SharedLoad {
  uint64_t weight = 0;     // of all of them, in any unit
  uint64_t in_flight = 0;  // leases
};

// So many leases of one key are within any share. While there are few in flight, shares are fractions of a lease: they
// tell two requests that met by chance from none, and not a busy key from an idle one.
inline constexpr uint32_t kFewLeases = 4;

// Whether a key of `weight` with so many leases in flight may get one more for affinity's sake: it has few, or
//   in_flight + 1 <= ceil(c * (all.in_flight + 1) * weight / all.weight),  c = 5/4
// which leaves everybody a key: the bounds add up to more than what is in flight. Precondition: 0 < weight <= all.weight < 2^62, `all` counts
// this key.
inline bool IsWithinShare(uint32_t in_flight, uint64_t weight, const SharedLoad& all) {
  return in_flight < kFewLeases ||
         absl::uint128(4) * in_flight * all.weight < absl::uint128(5) * (all.in_flight + 1) * weight;
}

}  // namespace ccr::core
