#include "broker/service/simulation/limit.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <queue>
#include <utility>

namespace ccr::simulation {
namespace {

using Kind = CallLimit::Kind;

constexpr double kNearlyAll = 0.8;   // of a limit: a refusal is explained
constexpr int kPhases = 12;          // of fixed minutes that are tried
constexpr int kRates = 24;           // of buckets that are tried
constexpr double kSurely = 1.1;      // so much better than a sliding minute
constexpr int kEnough = 4;           // refusals, to tell kinds apart
constexpr double kStretch = 30;      // seconds between refusals, to tell a rate by
constexpr double kRateSpan = 100;    // from the slowest to the fastest
constexpr double kToldWithin = 0.3;  // of the time that was told
constexpr double kSameRate = 0.25;   // spread of a bucket's rate, as answers tell it
constexpr double kWidening = 1.1;    // of a bucket's rate that is too slow for what was served
constexpr int kWidenings = 8;
constexpr absl::Duration kAboutNow = absl::Seconds(1);

// Calls `each(i, meter)` before call i is taken.
template <typename Each>
void Walk(absl::Span<const LimitedCall> calls, const CallLimit& limit, const Each& each) {
  LimitMeter meter(limit);
  std::priority_queue<absl::Time, std::vector<absl::Time>, std::greater<>> ends;
  for (size_t i = 0; i < calls.size(); ++i) {
    for (; !ends.empty() && ends.top() <= calls[i].granted; ends.pop()) meter.Ended();
    each(i, meter);
    if (!calls[i].served) continue;
    meter.Take(calls[i].granted);
    ends.push(calls[i].ended);
  }
}

int ScoreOf(absl::Span<const LimitedCall> calls, const CallLimit& limit) {
  int score = 0;
  Walk(calls, limit, [&](size_t i, LimitMeter& meter) {
    const LimitedCall& call = calls[i];
    if (!call.refused || meter.Used(call.granted) < kNearlyAll * limit.most) return;
    ++score;
    if (!call.told) return;
    const absl::Duration wrong = meter.RoomAt(call.granted) - (call.ended + *call.told);
    if (absl::AbsDuration(wrong) <= std::max(kAboutNow, *call.told * kToldWithin)) ++score;
  });
  return score;
}

// Served calls a second between refusals: nothing was left at both ends, so a bucket gave what had come back. By stretches
// of half a minute at least; the slowest first.
std::vector<double> RatesBetweenRefusals(absl::Span<const LimitedCall> calls) {
  std::vector<double> rates;
  absl::Time from = absl::InfiniteFuture();
  double served = 0;
  for (const LimitedCall& call : calls) {
    served += call.served ? 1 : 0;
    if (!call.refused) continue;
    const double seconds = absl::ToDoubleSeconds(call.granted - from);
    if (from < call.granted && seconds < kStretch) continue;
    if (from < call.granted && served > 0) rates.push_back(served / seconds);
    from = call.granted;
    served = 0;
  }
  std::sort(rates.begin(), rates.end());
  return rates;
}

std::vector<CallLimit> ShapesFor(absl::Span<const LimitedCall> calls) {
  std::vector<CallLimit> shapes = {{Kind::kSliding}};
  for (int i = 0; i < kPhases; ++i) shapes.push_back({Kind::kFixed, 0, 0, kMinute * i / kPhases});
  const double fastest = MostUsed(calls, shapes.front()) / 10;  // a second: ten seconds' for a minute's
  for (int i = 0; i < kRates; ++i) {
    shapes.push_back({Kind::kBucket, 0, fastest * std::pow(kRateSpan, -i / (kRates - 1.0))});
  }
  const std::vector<double> rates = RatesBetweenRefusals(calls);
  for (size_t quarter = 0; quarter <= 4 && !rates.empty(); ++quarter) {
    const double rate = rates[(rates.size() - 1) * quarter / 4];
    for (const double factor : {1.0, 0.97, 1.03}) shapes.push_back({Kind::kBucket, 0, rate * factor});
  }
  shapes.push_back({Kind::kAtOnce});
  return shapes;
}

double Median(std::vector<double> numbers) {
  const auto middle = numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 2);
  std::nth_element(numbers.begin(), middle, numbers.end());
  return *middle;
}

}  // namespace

double LimitMeter::Used(absl::Time now) {
  switch (limit_.kind) {
    case Kind::kNone:
      return 0;
    case Kind::kSliding:
      while (!taken_.empty() && taken_.front() + kMinute <= now) taken_.pop_front();
      return static_cast<double>(taken_.size());
    case Kind::kFixed:
      if (window_ != WindowOf(now)) used_ = 0;
      window_ = WindowOf(now);
      return used_;
    case Kind::kBucket:
      used_ = used_ == 0 ? 0 : std::max(0.0, used_ - absl::ToDoubleSeconds(now - at_) * limit_.rate);
      at_ = now;
      return used_;
    case Kind::kAtOnce:
      return in_flight_;
  }
  return 0;
}

void LimitMeter::Take(absl::Time now) {
  Used(now);
  if (limit_.kind == Kind::kSliding) taken_.push_back(now);
  used_ += 1;
  in_flight_ += 1;
}

absl::Time LimitMeter::RoomAt(absl::Time now) {
  const double over = Used(now) + 1 - limit_.most;
  if (limit_.kind == Kind::kNone || over <= 1e-9) return now;
  switch (limit_.kind) {
    case Kind::kSliding:
      return taken_[std::min(static_cast<size_t>(std::ceil(over)), taken_.size()) - 1] + kMinute;
    case Kind::kFixed:
      return window_ + kMinute;
    case Kind::kBucket:
      return now + absl::Seconds(over / limit_.rate);
    default:
      return absl::InfiniteFuture();
  }
}

absl::Duration LimitMeter::FullIn(absl::Time now) {
  const double used = Used(now);
  if (limit_.kind == Kind::kFixed) return window_ + kMinute - now;
  return limit_.kind == Kind::kBucket ? absl::Seconds(used / limit_.rate) : kMinute;
}

double MostUsed(absl::Span<const LimitedCall> calls, const CallLimit& limit) {
  double most = 0;
  Walk(calls, limit, [&](size_t i, LimitMeter& meter) {
    if (calls[i].served) most = std::max(most, meter.Used(calls[i].granted) + 1);
  });
  return most;
}

CallLimit Widened(CallLimit limit, absl::Span<const LimitedCall> calls) {
  for (int i = 0; i < kWidenings && limit.kind == Kind::kBucket && MostUsed(calls, limit) > limit.most; ++i) {
    limit.rate *= kWidening;
  }
  const double most = MostUsed(calls, limit);
  if (most > kExceeded * limit.most) limit.most = most;
  return limit;
}

std::vector<double> UsedBefore(absl::Span<const LimitedCall> calls, const CallLimit& limit) {
  std::vector<double> used(calls.size());
  Walk(calls, limit, [&](size_t i, LimitMeter& meter) { used[i] = meter.Used(calls[i].granted); });
  return used;
}

Fit FitLimit(absl::Span<const LimitedCall> calls) {
  Fit fit;
  const auto refused = std::count_if(calls.begin(), calls.end(), [](const LimitedCall& call) { return call.refused; });
  if (refused == 0) return fit;
  for (CallLimit shape : refused < kEnough ? std::vector<CallLimit>{{Kind::kSliding}} : ShapesFor(calls)) {
    shape.most = MostUsed(calls, shape);
    const int score = shape.most < 1 ? 0 : ScoreOf(calls, shape);
    const double to_beat = fit.score * (fit.limit.kind == Kind::kSliding ? kSurely : 1);
    if (score > to_beat) fit = {shape, score};
  }
  return fit;
}

CallLimit LimitToldBy(absl::Span<const ToldLimit> told) {
  if (told.empty()) return {};
  std::vector<double> limits, resets, rates;
  for (const ToldLimit& one : told) {
    limits.push_back(one.limit);
    resets.push_back(absl::ToDoubleSeconds(one.reset));
  }
  const double limit = Median(std::move(limits));
  const double minute = absl::ToDoubleSeconds(kMinute);
  std::vector<double> off_minute, off_rate;
  for (const double reset : resets) off_minute.push_back(std::abs(reset - minute));
  if (Median(std::move(off_minute)) < 1) return {Kind::kSliding, limit};
  const double long_reset = Median(resets);  // short ones are rounded by more
  for (const ToldLimit& one : told) {
    const double reset = absl::ToDoubleSeconds(one.reset);
    if (one.remaining < one.limit && reset >= long_reset && reset > 0)
      rates.push_back((one.limit - one.remaining) / reset);
  }
  if (rates.empty()) return {Kind::kSliding, limit};
  const double rate = Median(rates);
  for (const double one : rates) off_rate.push_back(std::abs(one / rate - 1));
  if (Median(std::move(off_rate)) < kSameRate) return {Kind::kBucket, limit, rate};
  const ToldLimit& last = told.back();
  return {Kind::kFixed, limit, 0, (last.at + last.reset - absl::UnixEpoch()) % kMinute};
}

}  // namespace ccr::simulation
