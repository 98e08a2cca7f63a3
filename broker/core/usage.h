// Declared limits, and what was used of them.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/time/time.h"
#include "broker/core/pacing/rate_window.h"
#include "broker/core/pool_spec.h"

namespace ccr::core {

// Keeps windows of requests and tokens for the limits that are declared, exact over all grants: tokens are counted as
// estimated at the grant; when they are settled, what was too much is taken back there, and what was too little counts
// from then on. A request of more tokens than the limit itself fits while nothing is used, else it never could.
// O(1) amortised; only Keep allocates. Not thread-safe; no clock.
class Usage {
 public:
  // Keeps a window for each limit that one of the two declares; what is kept already stays.
  void Keep(const Limits& limits, const Limits& others);

  // What was used until then, taken as used at that moment.
  void Restore(const Limits& used, absl::Time last_used);
  void Add(absl::Time when, uint64_t requests, uint64_t tokens) {
    if (counts_) AddToAll(when, requests, tokens);
  }
  // True when it counts something from `now` on.
  bool Settle(absl::Time granted, uint64_t estimated, uint64_t used, absl::Time now) {
    return counts_ && used != estimated && SettleAll(granted, estimated, used, now);
  }
  // When one more request of so many tokens is within `limits`: `now` when it is.
  absl::Time RoomAt(const Limits& limits, uint64_t tokens, absl::Time now) {
    return counts_ ? RoomInAll(limits, tokens, now) : now;
  }
  Limits Used(absl::Time now);  // 0 where no window is kept

 private:
  void AddToAll(absl::Time when, uint64_t requests, uint64_t tokens);
  bool SettleAll(absl::Time granted, uint64_t estimated, uint64_t used, absl::Time now);
  absl::Time RoomInAll(const Limits& limits, uint64_t tokens, absl::Time now);

  bool counts_ = false;  // some window is kept
  std::unique_ptr<RateWindow> rpm_, tpm_;
  std::unique_ptr<DayWindow> rpd_, tpd_;
};

}  // namespace ccr::core
