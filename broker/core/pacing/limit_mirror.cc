#include "broker/core/pacing/limit_mirror.h"

#include <algorithm>
#include <cmath>

#include "broker/core/pacing/seconds.h"

namespace ccr::core {
namespace {

constexpr absl::Duration kWindowMargin = absl::Milliseconds(10);
constexpr double kCaution = 0.99;  // of a rate that is known: a call that comes too early is refused
// `reset` of a sliding minute: of a bucket that is full soon others' calls look alike. Rounded.
constexpr absl::Duration kShortestSliding = absl::Seconds(30), kLongestSliding = absl::Seconds(65);
constexpr float kMostVotes = 8;
constexpr double kReserveKept = 0.997;  // by each answer

bool IsWhole(double seconds) {
  return std::abs(seconds - std::round(seconds)) < 0.002;
}

void Add(float* votes, float by) {
  *votes = std::clamp(*votes + by, 0.0F, kMostVotes);
}

}  // namespace

LimitMirror::Kind LimitMirror::kind() const {
  if (bucket_ >= window_ && bucket_ >= sliding_) return Kind::kBucket;
  return window_ >= sliding_ ? Kind::kWindow : Kind::kSliding;
}

double LimitMirror::rate() const {
  return rate_ > 0 && fills() ? kCaution * rate_ : limit_ / kMinute;
}

double LimitMirror::Level(absl::Time now) const {
  if (kind() == Kind::kBucket) return std::min(limit_, level_ + rate() * std::max(0.0, Seconds(now - at_)));
  return now >= reset_at_ + kWindowMargin ? std::max(level_, limit_) : level_;
}

absl::Time LimitMirror::RoomAt(double units, absl::Time now, bool sparing) const {
  if (kind() == Kind::kSliding && minute_ != nullptr) {
    RateWindow window = *minute_;
    const double foreign = now >= reset_at_ + kWindowMargin ? 0 : std::min(foreign_, limit_ - 1);
    const absl::Time room = window.BelowAt(static_cast<uint64_t>(std::clamp(limit_ - foreign, 1.0, 1e15)), now);
    return foreign > 0 ? std::min(room, std::max(now, reset_at_ + kWindowMargin)) : room;
  }
  if (kind() == Kind::kBucket && sparing) units += reserve_;
  units = std::min(units, limit_);
  const double missing = units - Level(now);
  if (missing <= 1e-9) return now;
  if (kind() == Kind::kBucket) return now + After(missing / rate());
  return std::max(now, reset_at_ + kWindowMargin);
}

void LimitMirror::OnGranted(double units, absl::Time now) {
  level_ = Level(now);
  if (kind() != Kind::kBucket && now >= reset_at_ + kWindowMargin) reset_at_ = now + absl::Seconds(kMinute);
  at_ = std::max(at_, now);
  level_ -= units;
  if (unit_ == RateLimit::Unit::kRequests) {
    if (minute_ == nullptr && sliding_ > 0) minute_ = std::make_unique<RateWindow>();
    if (minute_ != nullptr) minute_->Add(now);
  }
}

void LimitMirror::OnRefused(absl::Time back, absl::Time now) {
  level_ = std::min(Level(now), 0.0);
  at_ = now;
  if (kind() == Kind::kBucket) {
    level_ = 1 - rate() * Seconds(back - now);
  } else {
    reset_at_ = std::max(now, back - kWindowMargin);
  }
}

void LimitMirror::OnAnswer(const RateLimit& said, uint64_t sequence, double used, double later, bool known,
                           absl::Time granted, absl::Time now) {
  if (sequence < heard_ || !said.remaining) return;
  heard_ = sequence;
  reserve_ *= kReserveKept;
  const auto remaining = static_cast<double>(*said.remaining);
  if (said.limit && static_cast<double>(*said.limit) != limit_) {
    limit_ = static_cast<double>(*said.limit);
    anchor_.reset();
  }
  limit_ = std::max({limit_, remaining, 1.0});
  Sample sample{remaining, used, granted, absl::InfiniteFuture(), absl::InfiniteDuration()};
  if (said.reset) {
    sample.reset = *said.reset;
    sample.reset_at = now + *said.reset;
    LearnRate(sample, Seconds(now - granted));
    if (anchor_ && known) Vote(*anchor_, sample);
    reset_at_ = sample.reset_at;
  }
  level_ = remaining - later;
  // A bucket has filled since the lease reached the provider, which was when it was granted, about.
  at_ = kind() == Kind::kBucket ? granted : now;
  if (minute_ != nullptr) foreign_ = std::max(0.0, limit_ - level_ - minute_->Used(now));
  if (!known) return;
  if (!anchor_ || sample.at - anchor_->at > absl::Seconds(30) || sample.at > anchor_->reset_at) anchor_ = sample;
}

// `remaining` is rounded down, `reset` perhaps up to a whole second of its own or of the clock, and it counts from some
// moment between grant and answer. That bounds the rate; the bounds of all answers together narrow it down.
void LimitMirror::LearnRate(const Sample& sample, double latency) {
  const double missing = limit_ - sample.remaining;
  const double reset = Seconds(sample.reset);
  if (missing < 1 || reset <= 0.01) return;
  const double shortest = reset - (IsWhole(reset) || IsWhole(Seconds(sample.reset_at - absl::UnixEpoch())) ? 1 : 0);
  const double most = shortest > 0.01 ? missing / shortest : std::numeric_limits<double>::infinity();
  const double least = (missing - 1) / (reset + latency);
  const double likely = missing / (shortest < reset ? reset + latency : reset);
  if (rate_ <= 0) {
    rate_ = likely;
  } else if (likely > rate_) {
    rate_ = std::min(likely, 1.0002 * rate_);
  } else {
    rate_ *= 1.00005;
  }
  rate_ = std::clamp(rate_, least, std::max(least, most));
}

void LimitMirror::OnSurprise(double units) {
  reserve_ += units;
  if (reserve_ <= limit_ / 2) return;
  reserve_ = limit_ / 2;
  rate_ *= 0.97;
}

void LimitMirror::Vote(const Sample& before, const Sample& after) {
  const double seconds = Seconds(after.at - before.at);
  if (seconds <= 0.2 || after.at >= before.reset_at) return;
  const double used = after.used - before.used;
  const double expected = std::min((rate_ > 0 ? rate_ : limit_ / kMinute) * seconds, limit_ - before.remaining + used);
  const double came_back = after.remaining - before.remaining + used;
  if (expected < 1.5) return;
  const bool may_slide = after.reset >= kShortestSliding && after.reset <= kLongestSliding;
  if (came_back > 2 * expected + 2) {
    // No bucket fills that fast. A window may have ended, as `reset` is rounded.
    if (after.at > before.reset_at - absl::Seconds(2) || !may_slide) return;
    Add(&bucket_, -1);
    Add(&sliding_, 1);
    return;
  }
  if (came_back >= std::max(1.0, 0.3 * expected)) {
    Add(&bucket_, 1);
    Add(&window_, -1);
    Add(&sliding_, -0.25);
  } else if (came_back < 0.5) {
    // `reset` counts from a moment between grant and answer.
    const double moved = std::min(std::abs(Seconds(after.reset_at - before.reset_at)),
                                  std::abs(Seconds((after.at + after.reset) - (before.at + before.reset))));
    const bool stays = moved <= std::max(1.1, 0.3 * seconds);
    if (!stays && !may_slide) return;
    Add(&bucket_, -1);
    Add(stays ? &window_ : &sliding_, 1);
    if (seconds >= 2) Add(stays ? &sliding_ : &window_, -1);
  }
}

}  // namespace ccr::core
