#include "broker/core/pacing/rate_learner.h"

#include <algorithm>
#include <cmath>

#include "broker/core/pacing/seconds.h"

namespace ccr::core {
namespace {

constexpr absl::Duration kFirstRest = absl::Seconds(1);
constexpr absl::Duration kLongestRest = absl::Minutes(1);
constexpr absl::Duration kShortestRest = absl::Milliseconds(50);
constexpr double kGrowth = 3, kLong = 1.5;  // see RateLearner
constexpr double kShortestReach = 4, kLongestReach = 130;
constexpr double kSure = 2;          // the next cycle is that much longer than the rate is known to
constexpr double kTrial = 1.02;      // a pace so far above the rate is worth a trial
constexpr double kMostMissed = 0.1;  // of the calls of a cycle that tells the rate
constexpr double kThickestCushion = 3;
// Calls in the longest rest that was told. Who is too fast by that share is told no longer ones, and stays so.
constexpr double kLeastOfTold = 0.02;
constexpr uint32_t kToldRests = 4;    // of so many: one alone may be short by chance
constexpr double kSureOfRate = 6;     // calls of a cycle that tell the rate well enough for the depth
constexpr double kFirstDepth = 0.1;   // of what comes in a minute, until more is known: most providers allow some
constexpr double kPartOfBurst = 0.7;  // of the first burst, taken for the depth
constexpr double kSlowest = 0.1;      // requests a second that are tried first, at least

}  // namespace

void RateLearner::Restore(double rate, double depth, absl::Time now) {
  rate_ = rate;
  depth_ = std::max(1.0, depth);
  reach_ = calls_ = kLongestReach / 2;
  seconds_ = calls_ / rate;
  level_ = 1;
  at_ = cycle_began_ = now;
  cycle_ = 0;
}

double RateLearner::Pace() const {
  const double part = grown_ / reach_;
  return rate_ * (1 + kGrowth * part * part / reach_) * std::exp2(std::max(0.0, part - kLong));
}

double RateLearner::Filled(absl::Time now) const {
  return level_ + Pace() * std::max(0.0, Seconds(now - at_));
}

absl::Time RateLearner::RoomAt(absl::Time now) const {
  if (rate_ <= 0) return now;
  now = std::max(now, at_);
  const double missing = 1 - Level(now);
  return missing <= 1e-9 ? now : now + After(missing / Pace());
}

bool RateLearner::OnGranted(absl::Time now) {
  ++cycle_;
  if (rate_ <= 0) return false;
  const double filled = Filled(now);
  const bool missed = filled >= depth_ + 0.5;
  if (missed) missed_ += filled - depth_;
  level_ = std::min(depth_, filled) - 1 - std::exchange(owed_, 0);
  at_ = std::max(at_, now);
  return !missed && level_ < 0.5;
}

void RateLearner::OnSuccess(bool fresh, bool waited, absl::Time granted, absl::Time now) {
  if (rate_ <= 0 || !fresh) return;
  if (now > at_) {
    level_ = Level(now);
    at_ = now;
  }
  // The first one back after a rest: a bucket fills by one in that time at least, half of it on the average.
  if (first_ && refusals_ > 0) rate_ = std::max(rate_, 1 / std::max(0.05, Seconds(granted - cycle_began_)));
  refusals_ = 0;
  if (waited) grown_ += 1;
}

void RateLearner::OnServedWithout(double lack, absl::Time now) {
  if (rate_ <= 0) return;
  level_ = Level(now) + lack;
  at_ = std::max(at_, now);
  if (missed_ > 0) {
    depth_ += lack;
  } else {
    rate_ = std::max(rate_, (cycle_ - 1.0) / std::max(1.0, Seconds(now - cycle_began_)));
  }
}

absl::Duration RateLearner::OnRefused(bool fresh, uint32_t before, std::optional<absl::Duration> told,
                                      absl::Time granted, absl::Time now) {
  if (!fresh) {
    Uncount(granted);
    return told ? *told : std::max(back_ - now, absl::ZeroDuration());
  }
  before = std::min(before, cycle_);
  const uint32_t after = cycle_ > before ? cycle_ - before - 1 : 0;
  if (before > 0 || rate_ <= 0) {
    EndCycle(before, granted);
  } else if (!told) {
    doubt_ += Seconds(rest_) / 2;
  }
  cycle_ = after;
  if (told) {
    // A call is served after each such rest. Else the calls of others, which meet ours at any pace, slow it for ever.
    longest_told_ = std::max(longest_told_, Seconds(*told));
    if (++told_ >= kToldRests) rate_ = std::max(rate_, kLeastOfTold / longest_told_);
  }
  const uint32_t n = std::min<uint32_t>(refusals_++, 16);
  const absl::Duration rest = (first_ ? kFirstRest : absl::Seconds(1 / rate_)) * std::exp2(n);
  rest_ = told.value_or(std::clamp(rest, kShortestRest, kLongestRest));
  back_ = std::max(back_, now + rest_);
  level_ = 1;
  // A moment that is told is the truth. A bucket has just one then: the next waits half a call's time more, or it would
  // come too early.
  owed_ = told ? 0.5 + cushion_ : 0;
  at_ = std::max(at_, now + rest_ + (told ? absl::ZeroDuration() : After(cushion_ / rate_)));
  return rest_;
}

void RateLearner::EndCycle(uint32_t calls, absl::Time granted) {
  const double seconds = std::max(0.05, Seconds(granted - cycle_began_));
  first_ = rate_ <= 0;
  if (first_) {
    rate_ = std::max(kSlowest, calls / std::max(seconds, kMinute));
    reach_ = kShortestReach;
    depth_ = std::max(1.0, kFirstDepth * kMinute * rate_);
    burst_ = calls;
    burst_seconds_ = seconds;
  } else {
    Measure(calls, seconds, granted);
  }
  grown_ = 0;
  missed_ = 0;
  refusals_ = 0;
  cycle_began_ = granted;
}

void RateLearner::Measure(uint32_t calls, double seconds, absl::Time granted) {
  const double pace = Pace();
  const double before = rate_;
  const bool busy = missed_ <= kMostMissed * calls;
  if (trial_ > 0 && busy) {
    const bool lasted = calls * trial_ > 2;
    if (lasted) calls_ = seconds_ = doubt_ = 0;
    deep_ |= !lasted;
  }
  deep_ &= grown_ <= kLong * reach_;
  cushion_ = std::clamp(calls < reach_ / 4 ? cushion_ + 0.5 : cushion_ * 0.8, 0.0, kThickestCushion);
  calls_ = calls_ / 2 + calls;
  seconds_ = seconds_ / 2 + seconds;
  rate_ = calls_ / seconds_;
  reach_ = std::clamp(kSure / (1 / calls_ + doubt_ / seconds_), kShortestReach, kLongestReach);
  doubt_ /= 2;
  trial_ = 0;
  // The key had its depth, and what came in meanwhile, before it was refused first.
  if (burst_ > 0 && calls_ >= kSureOfRate) {
    depth_ = std::max(depth_, kPartOfBurst * (burst_ - rate_ * burst_seconds_));
    burst_ = 0;
  }
  if (!busy) {
    depth_ = std::max(1.0, depth_ - std::max(0.0, Level(granted) + 1) / 2);
    rate_ = std::min(0.95 * pace, std::max(0.9 * before, rate_));
  } else if (!deep_ && pace > kTrial * rate_) {
    trial_ = std::min(0.5, (pace / rate_ - 1) / 2);
    rate_ *= 1 + trial_;
  }
}

}  // namespace ccr::core
