#include "broker/core/rate_window.h"

#include <algorithm>

namespace ccr::core {
namespace {

// Of a time after 1970.
int64_t SecondOf(absl::Time time) {
  return std::max<int64_t>(0, absl::ToUnixSeconds(time));
}

}  // namespace

void RateWindow::Add(absl::Time when, uint32_t grants) {
  Slide(when);
  const int64_t second = SecondOf(when);
  if (second <= newest_ - kSeconds) return;
  buckets_[second % kSeconds] += grants;
  used_ += grants;
}

uint32_t RateWindow::Used(absl::Time now) {
  Slide(now);
  return used_;
}

absl::Time RateWindow::BelowAt(uint32_t limit, absl::Time now) {
  Slide(now);
  uint32_t left = used_;
  int64_t second = std::max<int64_t>(0, newest_ - kSeconds + 1);
  for (; left >= limit && second <= newest_; ++second) left -= buckets_[second % kSeconds];
  return used_ < limit ? now : absl::FromUnixSeconds(second - 1 + kSeconds);
}

void RateWindow::Slide(absl::Time now) {
  const int64_t second = SecondOf(now);
  if (second <= newest_) return;
  for (int64_t s = std::max(newest_ + 1, second - kSeconds + 1); s <= second; ++s) {
    used_ -= buckets_[s % kSeconds];
    buckets_[s % kSeconds] = 0;
  }
  newest_ = second;
}

}  // namespace ccr::core
