#include "broker/core/pacer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace ccr::core {
namespace {

constexpr double kMinute = 60;
constexpr absl::Duration kFirstRest = absl::Seconds(1);
constexpr absl::Duration kLongestRest = absl::Minutes(1);
// A rest that is told to be longer is a quota's: it says nothing of the rate.
constexpr absl::Duration kLongestRateRest = absl::Minutes(10);
constexpr absl::Duration kWindowMargin = absl::Milliseconds(10);
constexpr double kCaution = 0.99;  // of a rate that is known: a call that comes too early is refused
constexpr float kMostVotes = 8;
constexpr double kGrowth = 3;
constexpr double kSure = 2;  // the next cycle is that much longer than the rate is known to
constexpr double kShortestReach = 4, kLongestReach = 100;
constexpr double kSlowest = 0.1;  // requests a second that are tried first, at least

double Seconds(absl::Duration duration) {
  return absl::ToDoubleSeconds(duration);
}

// Rounding must not bring a caller back a nanosecond too early.
absl::Duration After(double seconds) {
  return absl::Seconds(std::min(seconds, 1e9)) + absl::Microseconds(1);
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

absl::Time LimitMirror::RoomAt(double units, absl::Time now) const {
  units = std::min(units, limit_);
  const double missing = units - Level(now);
  if (missing <= 1e-9) return now;
  if (kind() == Kind::kBucket) return now + After(missing / rate());
  if (kind() == Kind::kSliding && minute_ != nullptr) {
    RateWindow window = *minute_;
    const absl::Time room = window.BelowAt(std::max<uint32_t>(1, static_cast<uint32_t>(limit_ - units + 1)), now);
    return std::max(now, std::min(room, reset_at_));
  }
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

void LimitMirror::OnAnswer(const RateLimit& said, uint64_t sequence, double used, double later, absl::Time granted,
                           absl::Time now) {
  if (sequence < heard_ || !said.remaining) return;
  heard_ = sequence;
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
    LearnRate(sample);
    if (anchor_) Vote(*anchor_, sample);
    reset_at_ = sample.reset_at;
  }
  if (!anchor_ || sample.at - anchor_->at > absl::Seconds(30) || sample.at > anchor_->reset_at) anchor_ = sample;
  level_ = remaining - later;
  // A bucket has filled since the lease reached the provider, which was when it was granted, about.
  at_ = kind() == Kind::kBucket ? granted : now;
}

// `remaining` is rounded down, `reset` perhaps up to a whole second: each sample gives a rate that is not too low, and
// the lowest of them is the best. It grows a little with each, so that a limit that was raised is found.
void LimitMirror::LearnRate(const Sample& sample) {
  const double missing = limit_ - sample.remaining;
  double reset = Seconds(sample.reset);
  if (std::abs(reset - std::round(reset)) < 0.002 && reset > 1.5) reset -= 1;
  if (missing < 1 || reset <= 0.01) return;
  const double measured = missing / reset;
  rate_ = rate_ > 0 ? std::min(rate_ * 1.0005, measured) : measured;
}

void LimitMirror::Vote(const Sample& before, const Sample& after) {
  const double seconds = Seconds(after.at - before.at);
  if (seconds <= 0.2 || after.at >= before.reset_at) return;
  const double expected = std::min(std::max(rate_, limit_ / kMinute) * seconds, limit_ - before.remaining);
  if (expected < 1.5) return;
  const double came_back = after.remaining - before.remaining + (after.used - before.used);
  if (came_back > 0.5 * expected) {
    Add(&bucket_, 1);
    Add(&window_, -1);
  } else if (came_back < 0.25 * expected) {
    Add(&bucket_, -1);
    const double instant_moved = std::abs(Seconds(after.reset_at - before.reset_at));
    const double span_moved = std::abs(Seconds(after.reset - before.reset));
    Add(instant_moved <= span_moved ? &window_ : &sliding_, 1);
    Add(instant_moved <= span_moved ? &sliding_ : &window_, -1);
  }
}

void RateLearner::Restore(double rate, double depth, absl::Time now) {
  rate_ = rate;
  depth_ = std::max(1.0, depth);
  reach_ = calls_ = kLongestReach / 2;
  seconds_ = calls_ / rate;
  level_ = 1;
  at_ = cycle_began_ = now;
  cycle_ = 0;
  idle_ = true;
}

double RateLearner::Pace() const {
  const double part = grown_ / reach_;
  return rate_ * (1 + kGrowth * part * part / reach_);
}

double RateLearner::Filled(absl::Time now) const {
  return level_ + Pace() * std::max(0.0, Seconds(now - at_));
}

absl::Time RateLearner::RoomAt(absl::Time now) const {
  if (rate_ <= 0) return now;
  if (at_ > now) return at_;
  const double missing = 1 - Level(now);
  return missing <= 1e-9 ? now : now + After(missing / Pace());
}

bool RateLearner::OnGranted(absl::Time now) {
  ++cycle_;
  if (rate_ <= 0) return false;
  const double filled = Filled(now);
  const bool missed = filled >= depth_ + 0.5;
  idle_ |= missed;
  level_ = std::min(depth_, filled) - 1;
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

void RateLearner::OnUnknown(absl::Time granted) {
  Uncount(granted);
}

absl::Duration RateLearner::OnRefused(bool fresh, std::optional<absl::Duration> told, absl::Time granted,
                                      absl::Time now) {
  // A rest that long is a quota's.
  if (told && *told > kLongestRateRest) return *told;
  Uncount(granted);
  if (!fresh) return told ? *told : std::max(at_ - now, absl::ZeroDuration());
  if (cycle_ > 0 || rate_ <= 0) {
    Measure(granted);
    refusals_ = 0;
  } else if (!told) {
    doubt_ += Seconds(rest_) / 2;
  }
  const uint32_t n = std::min<uint32_t>(refusals_++, 16);
  absl::Duration rest = first_ ? kFirstRest : absl::Seconds(1 / rate_);
  rest = std::clamp(rest * std::exp2(n), absl::Milliseconds(50), kLongestRest);
  rest_ = told.value_or(rest);
  level_ = 1;
  at_ = std::max(at_, now + rest_);
  return rest_;
}

void RateLearner::Measure(absl::Time granted) {
  const double seconds = std::max(0.05, Seconds(granted - cycle_began_));
  first_ = rate_ <= 0;
  if (first_) {
    // Most providers count by the minute.
    rate_ = std::max(kSlowest, cycle_ / std::max(seconds, kMinute));
    reach_ = kShortestReach;
  } else if (idle_) {
    if (depth_ > 1) {
      depth_ = std::max(1.0, depth_ / 2);
    } else {
      rate_ = 0.95 * Pace();
    }
  } else {
    calls_ = calls_ / 2 + cycle_;
    seconds_ = seconds_ / 2 + seconds;
    rate_ = calls_ / seconds_;
    reach_ = std::clamp(kSure / (1 / calls_ + doubt_ / seconds_), kShortestReach, kLongestReach);
    doubt_ /= 2;
  }
  grown_ = 0;
  cycle_ = 0;
  cycle_began_ = granted;
  idle_ = false;
}

Pacer::Flight* Pacer::Find(uint64_t sequence) {
  const auto it = std::lower_bound(flights_.begin(), flights_.end(), sequence,
                                   [](const Flight& flight, uint64_t number) { return flight.sequence < number; });
  return it == flights_.end() || it->sequence != sequence ? nullptr : &*it;
}

void Pacer::Erase(uint64_t sequence) {
  if (Flight* const flight = Find(sequence)) {
    flights_.erase(flights_.begin() + (flight - flights_.data()));
  } else if (untold_ > 0) {
    --untold_;
  }
}

bool Pacer::mirrors_requests() const {
  return std::any_of(mirrors_.begin(), mirrors_.end(),
                     [](const LimitMirror& mirror) { return mirror.unit() == RateLimit::Unit::kRequests; });
}

LimitMirror& Pacer::MirrorOf(RateLimit::Unit unit) {
  for (LimitMirror& mirror : mirrors_) {
    if (mirror.unit() == unit) return mirror;
  }
  return mirrors_.emplace_back(unit);
}

absl::Time Pacer::RoomAt(uint64_t tokens, absl::Time now) const {
  absl::Time room = mirrors_requests() ? now : learner_.RoomAt(now);
  for (const LimitMirror& mirror : mirrors_) {
    const bool requests = mirror.unit() == RateLimit::Unit::kRequests;
    const double units = requests ? 1 : tokens > 0 ? static_cast<double>(tokens) : std::max(1.0, mean_tokens_);
    room = std::max(room, mirror.RoomAt(units, now));
  }
  return room;
}

void Pacer::OnGranted(uint64_t sequence, uint64_t tokens, absl::Time now) {
  const double units = tokens > 0 ? static_cast<double>(tokens) : mean_tokens_;
  requests_ += 1;
  tokens_ += units;
  last_ = sequence;
  const auto in_flight = static_cast<uint32_t>(flights_.size()) + untold_ + 1;
  flights_.push_back(
      {sequence, now, requests_, tokens_, static_cast<uint32_t>(std::min(units, 4e9)), in_flight, false, false});
  for (LimitMirror& mirror : mirrors_) {
    mirror.OnGranted(mirror.unit() == RateLimit::Unit::kRequests ? 1 : units, now);
  }
  flights_.back().waited = learner_.OnGranted(now);
}

double Pacer::UsedOf(const LimitMirror& mirror, const Flight& flight) const {
  return mirror.unit() == RateLimit::Unit::kRequests ? flight.requests : flight.tokens;
}

void Pacer::Read(const Flight& flight, const RateLimits& limits, absl::Time now) {
  for (const RateLimit& said : limits) {
    if (!said.remaining || (!said.limit && !said.reset)) continue;
    LimitMirror& mirror = MirrorOf(said.unit);
    const bool requests = said.unit == RateLimit::Unit::kRequests;
    const double later = (requests ? requests_ : tokens_) - UsedOf(mirror, flight);
    mirror.OnAnswer(said, flight.sequence, UsedOf(mirror, flight), later, flight.granted, now);
  }
}

void Pacer::OnBegun(uint64_t sequence, const RateLimits& limits, absl::Time now) {
  Flight* const flight = Find(sequence);
  if (flight == nullptr) {
    // Granted before there was a pacer: as if everything in flight came after it.
    Read({sequence, now, requests_ - static_cast<double>(flights_.size() + untold_) + 1, tokens_, 0, 0, true, false},
         limits, now);
    return;
  }
  if (flight->begun) return;
  flight->begun = true;
  Read(*flight, limits, now);
  learner_.OnSuccess(sequence > settled_, flight->waited, flight->granted, now);
  LearnConcurrency(*flight, /*refused=*/false);
}

void Pacer::OnEnded(uint64_t sequence, uint64_t used_tokens, absl::Time now) {
  OnBegun(sequence, {}, now);
  if (used_tokens > 0) {
    const auto used = static_cast<double>(used_tokens);
    mean_tokens_ = mean_tokens_ <= 0 ? used : mean_tokens_ + (used - mean_tokens_) / 16;
  }
  Erase(sequence);
}

void Pacer::OnUnknown(uint64_t sequence, absl::Time /*now*/) {
  if (const Flight* const flight = Find(sequence); flight != nullptr && !flight->begun) {
    learner_.OnUnknown(flight->granted);
  }
  Erase(sequence);
}

absl::Time Pacer::OnRefused(uint64_t sequence, std::optional<absl::Duration> retry_after, const RateLimits& limits,
                            absl::Time now) {
  const Flight* const found = Find(sequence);
  const Flight flight = found != nullptr ? *found : Flight{sequence, now, requests_, tokens_, 0, 0, false, false};
  const bool fresh = sequence > settled_;
  Erase(sequence);
  settled_ = std::max(settled_, last_);
  if (fresh) LearnConcurrency(flight, /*refused=*/true);
  // A refused use was none, so its answer tells of what came before it.
  Read(flight, limits, now);
  std::optional<absl::Duration> told = retry_after;
  for (const RateLimit& said : limits) {
    if (retry_after || said.remaining != uint64_t{0} || !said.reset) continue;
    const LimitMirror& mirror = MirrorOf(said.unit);
    const bool fills = mirror.fills() && mirror.rate() > 0 && said.unit == RateLimit::Unit::kRequests;
    const absl::Duration one = fills ? std::min(*said.reset, absl::Seconds(1 / mirror.rate())) : *said.reset;
    told = std::max(told.value_or(absl::ZeroDuration()), one);
  }
  const bool concurrent = fresh && max_in_flight_ > 0 && flight.in_flight > max_in_flight_;
  if (concurrent && !told) return now;  // there is room as soon as a lease ends: the limit says so
  const absl::Duration rest = learner_.OnRefused(fresh, told, flight.granted, now);
  const absl::Time back = now + rest;
  for (LimitMirror& mirror : mirrors_) {
    if (mirror.unit() == RateLimit::Unit::kRequests) mirror.OnRefused(back, now);
  }
  return back;
}

// Refusals that each come with more leases in flight than ever succeeded, three in a row, are of a limit on these.
void Pacer::LearnConcurrency(const Flight& flight, bool refused) {
  if (!refused) {
    most_served_ = std::max(most_served_, flight.in_flight);
    if (max_in_flight_ == 0 || flight.in_flight < max_in_flight_) return;
    if (++at_the_limit_ < 200) return;
    ++max_in_flight_;  // it may have been raised
    at_the_limit_ = 0;
    return;
  }
  if (flight.in_flight > most_served_ && most_served_ > 0) {
    if (++beyond_ >= 3 && max_in_flight_ == 0) {
      max_in_flight_ = most_served_;
      learner_ = RateLearner();  // what it has learned was of this
    }
    if (max_in_flight_ > 0) max_in_flight_ = std::min(max_in_flight_, std::max(1U, flight.in_flight - 1));
  } else {
    beyond_ = 0;
  }
  at_the_limit_ = 0;
}

Pacer::Learned Pacer::learned() const {
  Learned learned{learner_.rate(), learner_.depth(), max_in_flight_};
  for (const LimitMirror& mirror : mirrors_) {
    if (mirror.unit() == RateLimit::Unit::kRequests) {
      learned.rate = mirror.rate();
      learned.depth = mirror.limit();
    }
  }
  return learned;
}

void Pacer::Restore(const Learned& learned, absl::Time now) {
  max_in_flight_ = learned.max_in_flight;
  most_served_ = learned.max_in_flight;
  if (learned.rate > 0) learner_.Restore(learned.rate, learned.depth, now);
}

double Pacer::RoomNow(absl::Time now) const {
  double room = std::numeric_limits<double>::infinity();
  if (learner_.rate() > 0) room = learner_.Level(now);
  for (const LimitMirror& mirror : mirrors_) {
    if (mirror.unit() == RateLimit::Unit::kRequests) room = mirror.Level(now);
  }
  return std::max(0.0, room);
}

}  // namespace ccr::core
