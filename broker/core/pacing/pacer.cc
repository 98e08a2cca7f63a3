#include "broker/core/pacing/pacer.h"

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
constexpr absl::Duration kShortestRest = absl::Milliseconds(50);
constexpr absl::Duration kWindowMargin = absl::Milliseconds(10);
constexpr double kCaution = 0.99;  // of a rate that is known: a call that comes too early is refused
// `reset` of a sliding minute: of a bucket that is full soon others' calls look alike. Rounded.
constexpr absl::Duration kShortestSliding = absl::Seconds(30), kLongestSliding = absl::Seconds(65);
constexpr float kMostVotes = 8;
// So many refusals, each with more leases in flight than were ever served, are of a limit of concurrency. It is tried
// anew after so many successes.
constexpr uint32_t kAgreeing = 3, kStepAfter = 200;
constexpr double kGrowth = 3, kLong = 1.5;  // see RateLearner
constexpr double kShortestReach = 4, kLongestReach = 130;
constexpr double kSure = 2;          // the next cycle is that much longer than the rate is known to
constexpr double kTrial = 1.02;      // a pace so far above the rate is worth a trial
constexpr double kMostMissed = 0.1;  // of the calls of a cycle that tells the rate
constexpr double kThickestCushion = 3;
constexpr double kLeastOfTold = 0.2;    // calls in the longest rest that was told,
constexpr uint32_t kToldRests = 4;      // of so many: one alone may be short by chance
constexpr double kReserveKept = 0.997;  // by each answer
constexpr double kSpareTokens = 1.2;    // an estimate may be so far off
constexpr double kSureOfRate = 6;       // calls of a cycle that tell the rate well enough for the depth
constexpr double kFirstDepth = 0.1;     // of what comes in a minute, until more is known: most providers allow some
constexpr double kPartOfBurst = 0.7;    // of the first burst, taken for the depth
constexpr double kEarned = 0.015, kMostTries = 3;  // tries that may be refused: by a success, and at the most
constexpr double kSlowest = 0.1;                   // requests a second that are tried first, at least

double Seconds(absl::Duration duration) {
  return absl::ToDoubleSeconds(duration);
}

// Rounding must not bring a caller back a nanosecond too early.
absl::Duration After(double seconds) {
  return absl::Seconds(std::min(seconds, 1e9)) + absl::Microseconds(1);
}

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

Pacer::Flight* Pacer::Find(uint64_t sequence) {
  const auto it = std::lower_bound(flights_.begin(), flights_.end(), sequence,
                                   [](const Flight& flight, uint64_t number) { return flight.sequence < number; });
  return it == flights_.end() || it->sequence != sequence ? nullptr : &*it;
}

void Pacer::Erase(uint64_t sequence) {
  if (Flight* const flight = Find(sequence)) {
    trying_ &= !flight->tried || flight->begun;
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

absl::Time Pacer::RoomAt(uint64_t tokens, absl::Time now, bool sparing) const {
  absl::Time room = mirrors_requests() || !sparing ? now : learner_.RoomAt(now);
  for (const LimitMirror& mirror : mirrors_) {
    const bool requests = mirror.unit() == RateLimit::Unit::kRequests;
    const double units = requests ? 1 : tokens > 0 ? static_cast<double>(tokens) : std::max(1.0, mean_tokens_);
    room = std::max(room, mirror.RoomAt(units, now, sparing));
  }
  return room;
}

void Pacer::OnGranted(uint64_t sequence, uint64_t tokens, absl::Time now, uint64_t of_key) {
  const double units = tokens > 0 ? static_cast<double>(tokens) : mean_tokens_;
  requests_ += 1;
  tokens_ += units;
  last_ = sequence;
  const auto in_flight = static_cast<uint32_t>(flights_.size()) + untold_ + 1;
  const bool tried = RoomAt(tokens, now) > now;
  const double lack = mirrors_requests() ? 0 : std::max(0.0, 1 - learner_.Level(now));
  flights_.push_back(
      {sequence, now, requests_, tokens_, static_cast<uint32_t>(std::min(units, 4e9)), in_flight, false, false, 0});
  flights_.back().tried = tried;
  flights_.back().of_key = of_key;
  flights_.back().lack = tried ? static_cast<float>(lack) : 0;
  trying_ |= tried;
  for (LimitMirror& mirror : mirrors_) {
    mirror.OnGranted(mirror.unit() == RateLimit::Unit::kRequests ? 1 : units, now);
  }
  flights_.back().before = learner_.cycle();
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
    mirror.OnAnswer(said, flight.sequence, UsedOf(mirror, flight), later, flight.in_flight > 0, flight.granted, now);
    if (requests) LearnScope(flight, said, mirror.rate(), now);
  }
}

// Between two answers the requests that are left fall by the grants of the model, or by those of the whole key, less what
// came back meanwhile.
void Pacer::LearnScope(const Flight& flight, const RateLimit& said, double rate, absl::Time now) {
  const std::optional<Told> before = last_told_;
  if (flight.of_key == 0 || !said.limit || !said.reset || (before && flight.of_key <= before->of_key)) return;
  last_told_ = {static_cast<double>(*said.remaining),
                static_cast<double>(*said.limit),
                flight.requests,
                flight.of_key,
                flight.granted,
                now + *said.reset};
  if (!before || before->limit != last_told_->limit || flight.granted >= before->reset_at) return;
  const double own = flight.requests - before->requests;
  const auto all = static_cast<double>(flight.of_key - before->of_key);
  const double fallen = before->remaining - last_told_->remaining;
  const double back = rate * Seconds(flight.granted - before->granted) + 1;
  if (all < own + 2) return;
  if (fallen <= own && fallen + back + 1 < all) scope_ = 1;
  if (fallen > own && fallen + back >= all) scope_ = -1;
}

void Pacer::OnBegun(uint64_t sequence, const RateLimits& limits, absl::Time now) {
  scope_ = 0;
  Flight* const flight = Find(sequence);
  if (flight == nullptr) {
    // Granted before there was a pacer: as if everything in flight came after it.
    Read({sequence, now, requests_ - static_cast<double>(flights_.size() + untold_) + 1, tokens_, 0, 0, true, false, 0},
         limits, now);
    return;
  }
  if (flight->begun) return;
  flight->begun = true;
  trying_ &= !flight->tried;
  Read(*flight, limits, now);
  learner_.OnSuccess(sequence > settled_, flight->waited, flight->granted, now);
  tries_ = std::min(kMostTries, tries_ + kEarned);
  if (flight->tried && sequence > settled_) {
    learner_.OnServedWithout(flight->lack, now);
    for (LimitMirror& mirror : mirrors_)
      mirror.OnServedWithout(mirror.unit() == RateLimit::Unit::kRequests ? 1 : flight->own_tokens);
  }
  OnServed(*flight);
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
    learner_.Uncount(flight->granted);
  }
  Erase(sequence);
}

// A refused use was none: the later ones are not counted as coming after it.
void Pacer::TakeBack(Flight* refused) {
  requests_ -= 1;
  tokens_ -= refused->own_tokens;
  for (auto flight = flights_.rbegin(); flight != flights_.rend() && flight->sequence >= refused->sequence; ++flight) {
    flight->requests -= 1;
    flight->tokens -= refused->own_tokens;
    if (flight->in_flight > 0 && flight->sequence > refused->sequence) --flight->in_flight;
  }
  for (LimitMirror& mirror : mirrors_) {
    mirror.GiveBack(refused->sequence, mirror.unit() == RateLimit::Unit::kRequests ? 1 : refused->own_tokens);
  }
}

std::optional<absl::Duration> Pacer::RestTold(const RateLimits& limits) const {
  std::optional<absl::Duration> told;
  for (const RateLimit& said : limits) {
    if (said.remaining != uint64_t{0} || !said.reset) continue;
    absl::Duration one = *said.reset;
    for (const LimitMirror& mirror : mirrors_) {
      const bool fills = mirror.unit() == said.unit && mirror.fills() && mirror.rate() > 0;
      if (fills && said.unit == RateLimit::Unit::kRequests) one = std::min(one, absl::Seconds(1 / mirror.rate()));
    }
    told = std::max(told.value_or(absl::ZeroDuration()), one);
  }
  return told;
}

absl::Time Pacer::OnRefused(uint64_t sequence, std::optional<absl::Duration> retry_after, const RateLimits& limits,
                            absl::Time now) {
  Flight flight{sequence, now, requests_, tokens_, 0, 0, false, false, learner_.cycle()};
  const Flight* const found = Find(sequence);
  const bool fresh = sequence > settled_ && (found != nullptr || !refused_);
  if (found != nullptr) {
    TakeBack(Find(sequence));
    flight = *found;
  }
  if (flight.tried) tries_ = std::max(0.0, tries_ - 1);
  Erase(sequence);
  last_told_.reset();
  refused_ = true;
  settled_ = std::max(settled_, last_);
  if (retry_after && *retry_after > kLongestRateRest) {
    learner_.Uncount(flight.granted);
    return now + *retry_after;
  }
  const bool concurrent = fresh && IsOfConcurrency(flight);
  Read(flight, limits, now);
  for (const RateLimit& said : limits) {
    const bool requests = said.unit == RateLimit::Unit::kRequests;
    const double units = requests ? 1 : flight.own_tokens;
    if (!fresh || flight.tried || !said.remaining || static_cast<double>(*said.remaining) >= kSpareTokens * units)
      continue;
    MirrorOf(said.unit).OnSurprise(requests ? 1 : units / 4);
  }
  const std::optional<absl::Duration> told = retry_after ? retry_after : RestTold(limits);
  if (concurrent && !told) return now;
  const absl::Time back = now + learner_.OnRefused(fresh, flight.before, told, flight.granted, now);
  for (LimitMirror& mirror : mirrors_) {
    if (limits.empty() && mirror.unit() == RateLimit::Unit::kRequests) mirror.OnRefused(back, now);
  }
  return back;
}

void Pacer::OnServed(const Flight& flight) {
  most_served_ = std::max(most_served_, flight.in_flight);
  if (flight.in_flight >= least_refused_) {
    least_refused_ = kNobodyRefused;
    agreeing_ = 0;
  }
  if (max_in_flight_ == 0 || flight.in_flight < max_in_flight_) return;
  contradicting_ -= contradicting_ > 0 && at_the_limit_ % 32 == 31 ? 1 : 0;
  if (++at_the_limit_ < kStepAfter) return;
  ++max_in_flight_;  // it may have been raised
  at_the_limit_ = 0;
}

bool Pacer::IsOfConcurrency(const Flight& flight) {
  at_the_limit_ = 0;
  const bool above = flight.in_flight > most_served_ && most_served_ > 0;
  if (!above) {
    // Lowered, or never one.
    agreeing_ = 0;
    least_refused_ = kNobodyRefused;
    most_served_ = 0;
    if (max_in_flight_ > 0 && (++contradicting_ > 2 || flight.in_flight < 2)) max_in_flight_ = contradicting_ = 0;
    if (max_in_flight_ == 0) return false;
    most_served_ = flight.in_flight - 1;
  }
  least_refused_ = std::min(least_refused_, flight.in_flight);
  if (max_in_flight_ == 0) {
    if (++agreeing_ < kAgreeing) return false;
    learner_ = RateLearner();  // what it has learned was of this
  }
  max_in_flight_ = least_refused_ - 1;
  return true;
}

Learned Pacer::learned() const {
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
