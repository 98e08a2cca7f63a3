#include "broker/core/pacing/pacer.h"

#include <cmath>
#include <cstdint>
#include <optional>
#include <tuple>

#include "gtest/gtest.h"

namespace ccr::core {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

absl::Time At(double seconds) {
  return kStart + absl::Seconds(seconds);
}

RateLimits Told(uint64_t limit, uint64_t remaining, double reset, RateLimit::Unit unit = RateLimit::Unit::kRequests) {
  return {{unit, limit, remaining, absl::Seconds(reset)}};
}

double RoomIn(const Pacer& pacer, double now, uint64_t tokens = 0) {
  return absl::ToDoubleSeconds(pacer.RoomAt(tokens, At(now)) - At(now));
}

// One lease that is served at once.
void Serve(uint64_t sequence, double now, const RateLimits& limits, Pacer* pacer) {
  pacer->OnGranted(sequence, 0, At(now));
  pacer->OnBegun(sequence, limits, At(now));
  pacer->OnEnded(sequence, 0, At(now));
}

// Refused 10 ms after the grant. When it is back, in seconds after the grant.
double Refuse(uint64_t sequence, double now, std::optional<double> retry_after, Pacer* pacer) {
  pacer->OnGranted(sequence, 0, At(now));
  std::optional<absl::Duration> told;
  if (retry_after) told = absl::Seconds(*retry_after);
  return absl::ToDoubleSeconds(pacer->OnRefused(sequence, told, {}, At(now + 0.01)) - At(now + 0.01));
}

TEST(PacerTest, KnowsNoLimitAtFirst) {
  Pacer pacer(0, 0, kStart);
  EXPECT_EQ(RoomIn(pacer, 0), 0);
  EXPECT_TRUE(std::isinf(pacer.RoomNow(kStart)));
  EXPECT_EQ(pacer.learned().rate, 0);
}

TEST(PacerTest, MirrorsABucket) {
  Pacer pacer(0, 0, kStart);
  Serve(1, 0, Told(10, 2, 4), &pacer);  // 8 in 4 s
  EXPECT_EQ(RoomIn(pacer, 0), 0);
  EXPECT_NEAR(pacer.RoomNow(kStart), 2, 0.01);
  pacer.OnGranted(2, 0, kStart);
  pacer.OnGranted(3, 0, kStart);
  EXPECT_NEAR(RoomIn(pacer, 0), 0.5, 0.01);
  EXPECT_NEAR(RoomIn(pacer, 0.4), 0.1, 0.01);
  EXPECT_EQ(RoomIn(pacer, 0.6), 0);
  EXPECT_NEAR(pacer.RoomNow(At(100)), 10, 0.01);
  EXPECT_NEAR(pacer.learned().rate, 2, 0.05);
  EXPECT_EQ(pacer.learned().depth, 10);
}

TEST(PacerTest, TakesOffWhatWasGrantedAfterTheAnswersOwnLease) {
  Pacer pacer(0, 0, kStart);
  for (uint64_t sequence = 1; sequence <= 4; ++sequence) pacer.OnGranted(sequence, 0, kStart);
  pacer.OnBegun(2, Told(10, 5, 100), kStart);
  EXPECT_NEAR(pacer.RoomNow(kStart), 3, 0.01);
  // The answer of an earlier lease knows less.
  pacer.OnBegun(1, Told(10, 6, 80), kStart);
  EXPECT_NEAR(pacer.RoomNow(kStart), 3, 0.01);
  pacer.OnBegun(4, Told(10, 1, 180), kStart);
  EXPECT_NEAR(pacer.RoomNow(kStart), 1, 0.01);
}

TEST(PacerTest, TellsAWindowFromABucket) {
  Pacer pacer(0, 0, kStart);
  uint64_t sequence = 0;
  for (int second = 0; second < 10; ++second) {
    const auto left = static_cast<uint64_t>(60 - 6 * (second + 1));
    for (int i = 0; i < 6; ++i) {
      ++sequence;
      Serve(sequence, second, Told(60, left + static_cast<uint64_t>(5 - i), 60.5 - second), &pacer);
    }
  }
  EXPECT_NEAR(RoomIn(pacer, 10), 50.5, 0.1);  // not before its end,
  for (int i = 0; i < 60; ++i) {
    ASSERT_EQ(RoomIn(pacer, 61), 0) << i;  // then all
    pacer.OnGranted(++sequence, 0, At(61));
  }
  EXPECT_GT(RoomIn(pacer, 61), 30);
}

TEST(PacerTest, OthersCallsMakeNoSlidingMinuteOfABucket) {
  Pacer pacer(0, 0, kStart);
  uint64_t sequence = 0;
  double now = 0;
  for (; now < 40; now += 5) {
    Serve(++sequence, now, Told(6, 3, 3), &pacer);
    Serve(++sequence, now + 2, Told(6, 2, 4), &pacer);  // others took what came in
  }
  for (int i = 0; i < 6; ++i) pacer.OnGranted(++sequence, 0, At(now));
  EXPECT_LT(RoomIn(pacer, now), 5);
}

TEST(PacerTest, MirrorsTokens) {
  Pacer pacer(0, 0, kStart);
  Serve(1, 0, Told(60'000, 900, 59.1, RateLimit::Unit::kTokens), &pacer);
  EXPECT_EQ(RoomIn(pacer, 0, 800), 0);
  EXPECT_NEAR(RoomIn(pacer, 0, 1900), 1, 0.05);
  EXPECT_LT(RoomIn(pacer, 0, 1'000'000), 61);  // more than fit at all: when it is full
}

TEST(PacerTest, AnExplicitMomentIsExact) {
  Pacer pacer(0, 0, kStart);
  EXPECT_NEAR(Refuse(1, 0, 7.5, &pacer), 7.5, 1e-6);
  EXPECT_NEAR(Refuse(2, 10, 86'400, &pacer), 86'400, 1e-6);
  EXPECT_LT(RoomIn(pacer, 30), 1);  // a quota's rest is its owner's, not the pace's
}

TEST(PacerTest, UnknownRestsDoubleToAMinute) {
  Pacer pacer(0, 0, kStart);
  double now = 0, rest = 0;
  uint64_t sequence = 0;
  for (const double expected : {1, 2, 4, 8, 16, 32, 60, 60}) {
    rest = Refuse(++sequence, now, std::nullopt, &pacer);
    EXPECT_NEAR(rest, expected, 1e-6);
    EXPECT_GT(RoomIn(pacer, now + 0.01), 0.9 * rest);
    now += rest + 0.02;
  }
}

TEST(PacerTest, RefusalsOfOneBurstAreOne) {
  Pacer pacer(0, 0, kStart);
  for (uint64_t sequence = 1; sequence <= 30; ++sequence) pacer.OnGranted(sequence, 0, kStart);
  for (uint64_t sequence = 1; sequence <= 30; ++sequence) {
    const absl::Time back = pacer.OnRefused(sequence, std::nullopt, {}, At(0.1));
    EXPECT_EQ(back, At(1.1)) << sequence;
  }
}

TEST(PacerTest, LearnsTheRateFromTwoRefusals) {
  Pacer pacer(0, 0, kStart);
  uint64_t sequence = 0;
  Refuse(++sequence, 0, std::nullopt, &pacer);
  for (int second = 2; second < 42; ++second) Serve(++sequence, second, {}, &pacer);
  Refuse(++sequence, 42, std::nullopt, &pacer);
  EXPECT_NEAR(pacer.learned().rate, 40 / 42.0, 0.5 * 40 / 42.0);
  EXPECT_GT(RoomIn(pacer, 42.02), 0.5);
}

TEST(PacerTest, WhatItOnlyThinksMayBeTriedWithinABudget) {
  Pacer pacer(0, 0, kStart);
  pacer.Restore({1, 1, 0}, kStart);
  uint64_t sequence = 0;
  Serve(++sequence, 0, {}, &pacer);
  ASSERT_GT(RoomIn(pacer, 0.1), 0);
  EXPECT_TRUE(pacer.MayTry(0, At(0.1)));
  pacer.OnGranted(++sequence, 0, At(0.1));
  EXPECT_FALSE(pacer.MayTry(0, At(0.1)));  // one at a time
  pacer.OnRefused(sequence, std::nullopt, {}, At(0.2));
  double now = 10;
  for (; now < 60; ++now) {
    ASSERT_EQ(RoomIn(pacer, now), 0);
    pacer.OnGranted(++sequence, 0, At(now));
    EXPECT_FALSE(pacer.MayTry(0, At(now))) << now;
    pacer.OnEnded(sequence, 0, At(now));
  }
  for (; now < 90; ++now) Serve(++sequence, now, {}, &pacer);
  EXPECT_TRUE(pacer.MayTry(0, At(now - 1)));
}

TEST(PacerTest, NothingIsTriedAgainstTheProvidersWord) {
  Pacer pacer(0, 0, kStart);
  Serve(1, 0, Told(10, 0, 10), &pacer);
  EXPECT_FALSE(pacer.MayTry(0, kStart));
  // A refusal where there was to be room makes a reserve, which is an estimate.
  pacer.OnGranted(2, 0, At(2.5));
  pacer.OnRefused(2, std::nullopt, Told(10, 0, 10), At(2.5));
  Serve(3, 10, Told(10, 1, 9), &pacer);
  EXPECT_GT(RoomIn(pacer, 10), 0);
  EXPECT_TRUE(pacer.MayTry(0, At(10)));
}

TEST(PacerTest, WhatIsServedWithoutRoomTellsTheDepth) {
  Pacer pacer(0, 0, kStart);
  pacer.Restore({1, 1, 0}, kStart);
  uint64_t sequence = 0;
  for (double now = 10; now < 100; now += 10) {
    Serve(++sequence, now, {}, &pacer);
    ASSERT_TRUE(RoomIn(pacer, now) == 0 || pacer.MayTry(0, At(now)));
    Serve(++sequence, now, {}, &pacer);
  }
  EXPECT_NEAR(pacer.learned().depth, 2, 0.1);
  EXPECT_EQ(RoomIn(pacer, 100), 0);
  pacer.OnGranted(++sequence, 0, At(100));
  EXPECT_EQ(RoomIn(pacer, 100), 0);
}

TEST(PacerTest, WhatIsLeftTellsWhetherALimitIsOfTheModelOrTheKey) {
  // The model's own, of which nobody else takes; the key's, of which another model takes three times as many; and the
  // model's, of which another user takes.
  for (const auto& [taken, of_key, expected] : {std::tuple{1, 4, 1}, {4, 4, -1}, {2, 8, 0}, {1, 2, 0}}) {
    Pacer pacer(0, 0, kStart);
    uint64_t remaining = 50;
    for (uint64_t i = 1; i < 8; ++i) {
      pacer.OnGranted(i, 0, At(0.1 * static_cast<double>(i)), i * static_cast<uint64_t>(of_key));
      remaining -= static_cast<uint64_t>(taken);
      const RateLimits told = Told(60, remaining, static_cast<double>(60 - remaining));
      pacer.OnBegun(i, told, At(0.1 * static_cast<double>(i)));
      EXPECT_EQ(pacer.scope(), i > 1 ? expected : 0) << of_key << ' ' << taken;
    }
  }
}

// Who asks just a little too early is told to wait a little: that says nothing of the rate.
TEST(PacerTest, ShortRestsThatAreToldDoNotSpeedItUp) {
  Pacer pacer(0, 0, kStart);
  uint64_t sequence = 0;
  double now = 0;
  for (int cycle = 0; cycle < 8; ++cycle) {
    for (int call = 0; call < 4; ++call, now += 2) Serve(++sequence, now, {}, &pacer);
    Refuse(++sequence, now, 0.1, &pacer);
    now += 2;
  }
  EXPECT_GE(pacer.learned().rate, 0.4);
  EXPECT_LE(pacer.learned().rate, 0.8);
}

TEST(PacerTest, SomeCallsMayComeAtOnceAfterTheFirstRefusal) {
  Pacer pacer(0, 60, At(-60));
  uint64_t sequence = 0;
  Refuse(++sequence, 0, std::nullopt, &pacer);
  Serve(++sequence, 20, {}, &pacer);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(RoomIn(pacer, 20), 0) << i;
    Serve(++sequence, 20, {}, &pacer);
  }
  EXPECT_GT(RoomIn(pacer, 20), 0);
}

TEST(PacerTest, OneShortRestThatIsToldIsNoRate) {
  Pacer pacer(0, 30, At(-60));
  Refuse(1, 0, 0, &pacer);
  EXPECT_NEAR(pacer.learned().rate, 0.5, 0.1);
}

TEST(PacerTest, LearnsALimitOfConcurrency) {
  Pacer pacer(0, 0, kStart);
  uint64_t sequence = 0;
  double now = 0;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 4; ++i) pacer.OnGranted(++sequence, 0, At(now));
    for (uint64_t lease = sequence - 3; lease <= sequence; ++lease) pacer.OnBegun(lease, {}, At(now + 1));
    Refuse(++sequence, now + 2, std::nullopt, &pacer);
    for (uint64_t lease = sequence - 4; lease < sequence; ++lease) pacer.OnEnded(lease, 0, At(now + 3));
    now += 100;
  }
  EXPECT_EQ(pacer.max_in_flight(), 4u);
  EXPECT_EQ(RoomIn(pacer, now), 0);  // no rate was the cause
}

TEST(PacerTest, WhatWasLearnedSurvives) {
  Pacer pacer(0, 0, kStart);
  pacer.Restore({2, 1, 7}, kStart);
  EXPECT_EQ(pacer.learned().rate, 2);
  EXPECT_EQ(pacer.max_in_flight(), 7u);
  EXPECT_EQ(RoomIn(pacer, 0), 0);
  pacer.OnGranted(1, 0, kStart);
  EXPECT_NEAR(RoomIn(pacer, 0), 0.5, 0.01);
}

}  // namespace
}  // namespace ccr::core
