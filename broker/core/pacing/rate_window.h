// What was granted in the last minute, in the last day.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/time/time.h"

namespace ccr::core {

// Sums amounts over a sliding window of `kBuckets` buckets of `kSeconds` seconds: the current one and those before it.
// So no (kBuckets - 1) * kSeconds s hold more than what was seen as used, whatever their phase; an amount is forgotten at
// most a bucket later than it might. `now` never decreases. O(1) amortised, no allocation. Not thread-safe.
template <int64_t kSeconds, int64_t kBuckets>
class SlidingWindow {
 public:
  void Add(absl::Time when, uint64_t amount = 1) {  // `when` may be past
    Slide(when);
    const int64_t bucket = BucketOf(when);
    if (bucket <= newest_ - kBuckets) return;
    buckets_[bucket % kBuckets] += amount;
    used_ += amount;
  }

  // Takes back what was added at `when`, as far as it has not been forgotten.
  void Take(absl::Time when, uint64_t amount) {
    const int64_t bucket = BucketOf(when);
    if (bucket <= newest_ - kBuckets || bucket > newest_) return;
    amount = std::min(amount, buckets_[bucket % kBuckets]);
    buckets_[bucket % kBuckets] -= amount;
    used_ -= amount;
  }

  uint64_t Used(absl::Time now) {
    Slide(now);
    return used_;
  }

  // The earliest time at which `amount` more stays within `limit` (> 0), when nothing else is added: `now` when that is
  // so already. More than the limit itself has room while nothing is used.
  absl::Time RoomAt(uint64_t limit, uint64_t amount, absl::Time now) {
    Slide(now);
    const uint64_t allowed = limit > amount ? limit - amount : 0;
    uint64_t left = used_;
    int64_t bucket = std::max<int64_t>(0, newest_ - kBuckets + 1);
    for (; left > allowed && bucket <= newest_; ++bucket) left -= buckets_[bucket % kBuckets];
    return used_ <= allowed ? now : absl::FromUnixSeconds((bucket - 1 + kBuckets) * kSeconds);
  }

  // The earliest time at which less than `limit` is used.
  absl::Time BelowAt(uint64_t limit, absl::Time now) { return RoomAt(limit, 1, now); }

 private:
  static int64_t BucketOf(absl::Time time) { return std::max<int64_t>(0, absl::ToUnixSeconds(time)) / kSeconds; }

  void Slide(absl::Time now) {
    const int64_t bucket = BucketOf(now);
    if (bucket <= newest_) return;
    for (int64_t b = std::max(newest_ + 1, bucket - kBuckets + 1); b <= bucket; ++b) {
      used_ -= buckets_[b % kBuckets];
      buckets_[b % kBuckets] = 0;
    }
    newest_ = bucket;
  }

  // Law: buckets_[b % kBuckets] holds what was added in bucket b for newest_ - kBuckets < b <= newest_; used_ is their sum.
  std::array<uint64_t, kBuckets> buckets_{};
  int64_t newest_ = 0;
  uint64_t used_ = 0;
};

using RateWindow = SlidingWindow<1, 61>;   // a minute
using DayWindow = SlidingWindow<900, 97>;  // 24 h in quarters of an hour

}  // namespace ccr::core
