#include "broker/core/pacing/pacer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "broker/core/pacing/seconds.h"

namespace ccr::core {
namespace {

// A rest that is told to be longer is a quota's: it says nothing of the rate.
constexpr absl::Duration kLongestRateRest = absl::Minutes(10);
// So many refusals, each with more leases in flight than were ever served, are of a limit of concurrency. It is tried
// anew after so many successes.
constexpr uint32_t kAgreeing = 3, kStepAfter = 200;
constexpr double kSpareTokens = 1.2;               // an estimate may be so far off
constexpr double kEarned = 0.015, kMostTries = 3;  // tries that may be refused: by a success, and at the most

}  // namespace

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
  if (flight.in_flight == 0 || !said.limit || !said.reset || (before && flight.requests <= before->requests)) return;
  last_told_ = {static_cast<double>(*said.remaining),
                static_cast<double>(*said.limit),
                flight.requests,
                flight.of_key,
                flight.granted,
                now + *said.reset};
  if (!before || flight.granted >= before->reset_at) return;
  if (flight.of_key == 0) {
    scope_ = ScopeOfModels(*before, *last_told_, rate);
    return;
  }
  if (before->limit != last_told_->limit || flight.of_key <= before->of_key) return;
  const double own = flight.requests - before->requests;
  const auto all = static_cast<double>(flight.of_key - before->of_key);
  const double fallen = before->remaining - last_told_->remaining;
  const double back = rate * Seconds(flight.granted - before->granted) + 1;
  if (all < own + 2) return;
  if (fallen <= own && fallen + back + 1 < all) scope_ = 1;
  if (fallen > own && fallen + back >= all) scope_ = -1;
}

// Of a pacer of all models, between answers of two of them: one limit falls by their grants, and rises by no more than
// comes back.
int Pacer::ScopeOfModels(const Told& before, const Told& told, double rate) const {
  const double back = rate * Seconds(told.granted - before.granted) + 1;
  const double fallen = before.remaining - told.remaining;
  const double granted = told.requests - before.requests;
  const double slack = 1 + static_cast<double>(flights_.size() + untold_);
  if (before.limit != told.limit || fallen + back + slack < 0) return 1;
  return fallen <= granted + slack && fallen + back + slack >= granted ? -1 : 0;
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
