// Which limit fits what a key served and refused.
#include "broker/service/simulation/limit.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace ccr::simulation {
namespace {

using Kind = CallLimit::Kind;

const absl::Time kMidnight = absl::FromUnixSeconds(1'700'006'400);

// So many calls as come by chance, `rate` a second for ten minutes, at a key of that limit.
std::vector<LimitedCall> Served(const CallLimit& limit, double rate, absl::Duration took, bool tells) {
  std::vector<LimitedCall> calls;
  LimitMeter meter(limit);
  std::mt19937 random(3);
  std::vector<absl::Time> ends;
  for (absl::Time now = kMidnight; now < kMidnight + absl::Minutes(10);
       now += absl::Seconds(std::exponential_distribution<>(rate)(random))) {
    std::erase_if(ends, [&](absl::Time end) {
      if (end <= now) meter.Ended();
      return end <= now;
    });
    const absl::Time room = meter.RoomAt(now);
    LimitedCall& call = calls.emplace_back();
    call.granted = now;
    call.served = room <= now;
    call.refused = !call.served;
    call.ended = now + (call.served ? took : absl::Milliseconds(50));
    if (call.refused && tells && room < absl::InfiniteFuture()) call.told = room - call.ended;
    if (!call.served) continue;
    meter.Take(now);
    ends.push_back(call.ended);
  }
  return calls;
}

TEST(LimitMeterTest, ASlidingMinuteGivesEachCallBackAMinuteLater) {
  LimitMeter meter({Kind::kSliding, 2});
  meter.Take(kMidnight);
  meter.Take(kMidnight + absl::Seconds(10));
  EXPECT_EQ(meter.RoomAt(kMidnight + absl::Seconds(20)), kMidnight + absl::Seconds(60));
  EXPECT_EQ(meter.RoomAt(kMidnight + absl::Milliseconds(59'999)), kMidnight + absl::Seconds(60));
  EXPECT_EQ(meter.RoomAt(kMidnight + absl::Seconds(60)), kMidnight + absl::Seconds(60));
  meter.Take(kMidnight + absl::Seconds(60));
  EXPECT_EQ(meter.RoomAt(kMidnight + absl::Seconds(61)), kMidnight + absl::Seconds(70));
}

TEST(LimitMeterTest, AFixedMinuteGivesAllBackAtOnce) {
  LimitMeter meter({Kind::kFixed, 2, 0, absl::Seconds(15)});
  meter.Take(kMidnight);
  meter.Take(kMidnight + absl::Seconds(10));
  EXPECT_EQ(meter.RoomAt(kMidnight + absl::Seconds(11)), kMidnight + absl::Seconds(15));
  EXPECT_EQ(meter.FullIn(kMidnight + absl::Seconds(11)), absl::Seconds(4));
  EXPECT_EQ(meter.Used(kMidnight + absl::Seconds(15)), 0);
}

TEST(LimitMeterTest, ABucketFillsSteadily) {
  LimitMeter meter({Kind::kBucket, 2, 0.5});
  meter.Take(kMidnight);
  meter.Take(kMidnight);
  EXPECT_EQ(meter.RoomAt(kMidnight), kMidnight + absl::Seconds(2));
  EXPECT_EQ(meter.FullIn(kMidnight), absl::Seconds(4));
  EXPECT_EQ(meter.RoomAt(kMidnight + absl::Seconds(2)), kMidnight + absl::Seconds(2));
}

TEST(LimitMeterTest, WhatIsInFlightEndsOnly) {
  LimitMeter meter({Kind::kAtOnce, 1});
  meter.Take(kMidnight);
  EXPECT_EQ(meter.RoomAt(kMidnight + absl::Hours(1)), absl::InfiniteFuture());
  meter.Ended();
  EXPECT_EQ(meter.RoomAt(kMidnight + absl::Hours(1)), kMidnight + absl::Hours(1));
}

TEST(FitLimitTest, FindsTheKindBehindTheRefusals) {
  const struct {
    CallLimit limit;
    double rate;
  } cases[] = {{{Kind::kSliding, 30}, 0.7},
               {{Kind::kFixed, 30, 0, absl::Seconds(25)}, 0.7},
               {{Kind::kBucket, 6, 0.5}, 0.7},
               {{Kind::kAtOnce, 3}, 0.7}};
  for (const auto& one : cases) {
    SCOPED_TRACE(static_cast<int>(one.limit.kind));
    const Fit fit = FitLimit(Served(one.limit, one.rate, absl::Seconds(6), /*tells=*/true));
    EXPECT_EQ(fit.limit.kind, one.limit.kind);
    EXPECT_NEAR(fit.limit.most, one.limit.most, one.limit.most / 4);
    if (one.limit.kind == Kind::kBucket) EXPECT_NEAR(fit.limit.rate, one.limit.rate, one.limit.rate / 4);
  }
}

TEST(FitLimitTest, WithoutARefusalThereIsNone) {
  EXPECT_EQ(FitLimit(Served({Kind::kNone}, 1, absl::Seconds(1), false)).limit.kind, Kind::kNone);
  EXPECT_EQ(FitLimit({}).limit.kind, Kind::kNone);
}

TEST(LimitToldByTest, KindsAreToldApartByTheirResets) {
  std::vector<ToldLimit> bucket, sliding, fixed;
  for (int i = 0; i < 50; ++i) {
    const absl::Time at = kMidnight + absl::Seconds(7) * i;
    const double used = 1 + i % 9;
    bucket.push_back({at, 60, 60 - used, absl::Seconds(used / 2)});
    sliding.push_back({at, 60, 60 - used, absl::Minutes(1)});
    fixed.push_back({at, 60, 60 - used, absl::Seconds(60 - (7 * i + 20) % 60)});
  }
  EXPECT_EQ(LimitToldBy(bucket).kind, Kind::kBucket);
  EXPECT_NEAR(LimitToldBy(bucket).rate, 2, 0.01);
  EXPECT_EQ(LimitToldBy(sliding).kind, Kind::kSliding);
  EXPECT_EQ(LimitToldBy(fixed).kind, Kind::kFixed);
  EXPECT_EQ(LimitToldBy(fixed).phase, absl::Seconds(40));
  EXPECT_EQ(LimitToldBy(fixed).most, 60);
  EXPECT_EQ(LimitToldBy({}).kind, Kind::kNone);
}

TEST(WidenedTest, WhatWasServedGoes) {
  const std::vector<LimitedCall> calls = Served({Kind::kBucket, 6, 1}, 2, absl::Seconds(1), false);
  EXPECT_NEAR(Widened({Kind::kBucket, 6, 0.7}, calls).rate, 1, 0.1);
  EXPECT_EQ(Widened({Kind::kBucket, 6, 1.2}, calls).rate, 1.2);
  EXPECT_GE(Widened({Kind::kAtOnce, 1}, calls).most, 2);
}

}  // namespace
}  // namespace ccr::simulation
