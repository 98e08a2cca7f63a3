#include "tests/bench/rotation/limits.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <utility>

namespace ccr::rotation {
namespace {

constexpr double kAlmost = 1e-6;  // of a unit: what division leaves over

class BucketLimit : public Limit {
 public:
  BucketLimit(const LimitSpec& spec, absl::Time start) : spec_(spec), level_(spec.amount), at_(start) {}

  absl::Time RoomAt(double cost, absl::Time now) override {
    Fill(now);
    if (level_ + kAlmost >= cost) return now;
    if (cost > spec_.amount) return absl::InfiniteFuture();
    return now + absl::Nanoseconds(std::ceil((cost - level_) / spec_.rate * 1e9));
  }
  void Take(double cost, absl::Time now) override {
    Fill(now);
    level_ = std::max(level_ - cost, 0.0);
  }
  void Refuse(absl::Time now) override {
    Fill(now);
    if (spec_.holds) level_ = 0;
  }
  std::optional<Told> Tell(absl::Time now) override {
    Fill(now);
    return Told{spec_.amount, std::floor(level_ + kAlmost), absl::Seconds((spec_.amount - level_) / spec_.rate)};
  }

 private:
  void Fill(absl::Time now) {
    level_ = std::min(spec_.amount, level_ + spec_.rate * absl::ToDoubleSeconds(now - at_));
    at_ = now;
  }

  const LimitSpec spec_;
  double level_;
  absl::Time at_;
};

class FixedWindowLimit : public Limit {
 public:
  FixedWindowLimit(const LimitSpec& spec, absl::Time start) : spec_(spec), end_(start + spec.phase) {}

  absl::Time RoomAt(double cost, absl::Time now) override {
    Turn(now);
    if (used_ + cost <= spec_.amount) return now;
    return cost > spec_.amount ? absl::InfiniteFuture() : end_;
  }
  void Take(double cost, absl::Time now) override {
    Turn(now);
    used_ += cost;
  }
  std::optional<Told> Tell(absl::Time now) override {
    Turn(now);
    return Told{spec_.amount, std::max(0.0, spec_.amount - used_), used_ > 0 ? end_ - now : absl::ZeroDuration()};
  }

 private:
  void Turn(absl::Time now) {
    while (now >= end_) {
      end_ += spec_.window;
      used_ = 0;
    }
  }

  const LimitSpec spec_;
  absl::Time end_;
  double used_ = 0;
};

class SlidingLimit : public Limit {
 public:
  explicit SlidingLimit(const LimitSpec& spec) : spec_(spec) {}

  absl::Time RoomAt(double cost, absl::Time now) override {
    Forget(now);
    if (cost > spec_.amount) return absl::InfiniteFuture();
    double used = used_;
    for (const auto& [when, taken] : taken_) {
      if (used + cost <= spec_.amount) break;
      used -= taken;
      if (used + cost <= spec_.amount) return when + spec_.window;
    }
    return now;
  }
  void Take(double cost, absl::Time now) override {
    Forget(now);
    taken_.emplace_back(now, cost);
    used_ += cost;
  }
  std::optional<Told> Tell(absl::Time now) override {
    Forget(now);
    const absl::Duration reset = taken_.empty() ? absl::ZeroDuration() : taken_.back().first + spec_.window - now;
    return Told{spec_.amount, std::max(0.0, spec_.amount - used_), reset};
  }

 private:
  void Forget(absl::Time now) {
    while (!taken_.empty() && taken_.front().first + spec_.window <= now) {
      used_ -= taken_.front().second;
      taken_.pop_front();
    }
  }

  const LimitSpec spec_;
  std::deque<std::pair<absl::Time, double>> taken_;
  double used_ = 0;
};

class ConcurrencyLimit : public Limit {
 public:
  explicit ConcurrencyLimit(const LimitSpec& spec) : spec_(spec) {}

  // When a call ends nobody knows beforehand; a moment from now is the least that is true.
  absl::Time RoomAt(double /*cost*/, absl::Time now) override {
    return in_flight_ < spec_.amount ? now : now + absl::Milliseconds(1);
  }
  void Take(double /*cost*/, absl::Time /*now*/) override { ++in_flight_; }
  void GiveBack() override { --in_flight_; }
  std::optional<Told> Tell(absl::Time /*now*/) override { return std::nullopt; }

 private:
  const LimitSpec spec_;
  double in_flight_ = 0;
};

}  // namespace

LimitSpec Bucket(double rate, double burst) {
  return {.kind = LimitSpec::Kind::kBucket, .amount = burst, .rate = rate};
}

LimitSpec HoldingBucket(double rate, double burst) {
  LimitSpec spec = Bucket(rate, burst);
  spec.holds = true;
  return spec;
}

LimitSpec FixedMinute(double amount, absl::Duration phase) {
  return {.kind = LimitSpec::Kind::kFixedWindow, .amount = amount, .phase = phase};
}

LimitSpec SlidingMinute(double amount) {
  return {.kind = LimitSpec::Kind::kSliding, .amount = amount};
}

LimitSpec Concurrency(double amount) {
  return {.kind = LimitSpec::Kind::kConcurrency, .amount = amount};
}

LimitSpec TokensPerMinute(double amount) {
  return {.kind = LimitSpec::Kind::kBucket, .amount = amount, .rate = amount / 60, .unit = LimitSpec::Unit::kTokens};
}

LimitSpec Quota(double amount) {
  return {.kind = LimitSpec::Kind::kFixedWindow, .amount = amount, .window = absl::Hours(24), .phase = absl::Hours(24)};
}

LimitSpec ForModel(LimitSpec spec, std::string model) {
  spec.model = std::move(model);
  return spec;
}

std::unique_ptr<Limit> MakeLimit(const LimitSpec& spec, absl::Time start) {
  switch (spec.kind) {
    case LimitSpec::Kind::kBucket:
      return std::make_unique<BucketLimit>(spec, start);
    case LimitSpec::Kind::kFixedWindow:
      return std::make_unique<FixedWindowLimit>(spec, start);
    case LimitSpec::Kind::kSliding:
      return std::make_unique<SlidingLimit>(spec);
    case LimitSpec::Kind::kConcurrency:
      return std::make_unique<ConcurrencyLimit>(spec);
  }
  return nullptr;
}

double SustainedRate(const LimitSpec& spec, double tokens, double seconds) {
  const double cost = spec.unit == LimitSpec::Unit::kTokens ? tokens : 1;
  switch (spec.kind) {
    case LimitSpec::Kind::kBucket:
      return spec.rate / cost;
    case LimitSpec::Kind::kFixedWindow:
    case LimitSpec::Kind::kSliding:
      return spec.amount / absl::ToDoubleSeconds(spec.window) / cost;
    case LimitSpec::Kind::kConcurrency:
      return spec.amount / seconds;
  }
  return 0;
}

}  // namespace ccr::rotation
