// Grants in the last minute.
#pragma once

#include <array>
#include <cstdint>

#include "absl/time/time.h"

namespace ccr::core {

// Counts grants over a sliding window of 61 one-second buckets: the current second and the 60 before it. So no 60 s
// hold more than what was seen as used, whatever their phase; a grant is forgotten 60 to 61 s after it was made. `now`
// never decreases. O(1) amortised, no allocation. Not thread-safe.
class RateWindow {
 public:
  void Add(absl::Time when, uint32_t grants = 1);  // `when` may be past
  uint32_t Used(absl::Time now);
  // The earliest time at which less than `limit` (> 0) is used, when nothing is added; `now` when that is so already.
  absl::Time BelowAt(uint32_t limit, absl::Time now);

 private:
  static constexpr int64_t kSeconds = 61;

  void Slide(absl::Time now);

  // Law: buckets_[s % 61] holds the grants of second s for newest_ - 60 <= s <= newest_; used_ is their sum.
  std::array<uint32_t, kSeconds> buckets_{};
  int64_t newest_ = 0;
  uint32_t used_ = 0;
};

}  // namespace ccr::core
