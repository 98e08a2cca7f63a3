#include "broker/core/pacing/rate_window.h"

#include <deque>
#include <random>

#include "gtest/gtest.h"

namespace ccr::core {
namespace {

const absl::Time kWindowStart = absl::FromUnixSeconds(1'700'000'000);

TEST(RateWindowTest, CountsUntilTheBucketHasLeft) {
  RateWindow window;
  window.Add(kWindowStart + absl::Milliseconds(400));
  EXPECT_EQ(window.Used(kWindowStart + absl::Milliseconds(60'400)), 1u);
  EXPECT_EQ(window.Used(kWindowStart + absl::Milliseconds(60'999)), 1u);
  EXPECT_EQ(window.Used(kWindowStart + absl::Milliseconds(61'000)), 0u);
}

TEST(RateWindowTest, SaysWhenItIsBelow) {
  RateWindow window;
  EXPECT_EQ(window.BelowAt(1, kWindowStart), kWindowStart);
  window.Add(kWindowStart, 2);
  window.Add(kWindowStart + absl::Seconds(10));
  const absl::Time now = kWindowStart + absl::Seconds(20);
  EXPECT_EQ(window.BelowAt(4, now), now);
  EXPECT_EQ(window.BelowAt(3, now), kWindowStart + absl::Seconds(61));
  EXPECT_EQ(window.BelowAt(2, now), kWindowStart + absl::Seconds(61));
  EXPECT_EQ(window.BelowAt(1, now), kWindowStart + absl::Seconds(71));
}

TEST(RateWindowTest, ForgetsAllAfterALongTime) {
  RateWindow window;
  window.Add(kWindowStart, 100);
  EXPECT_EQ(window.Used(kWindowStart + absl::Hours(5)), 0u);
}

TEST(RateWindowTest, NeverHasMoreThanTheLimitInAnySixtySeconds) {
  std::mt19937_64 random(7);
  constexpr uint32_t kLimit = 5;
  RateWindow window;
  std::deque<absl::Time> grants;
  absl::Time now = kWindowStart;
  for (int i = 0; i < 20'000; ++i) {
    now += absl::Milliseconds(random() % 8'000);
    const absl::Time below = window.BelowAt(kLimit, now);
    EXPECT_EQ(below <= now, window.Used(now) < kLimit);
    if (below > now) {
      EXPECT_LE(below, now + absl::Seconds(61));
      continue;
    }
    window.Add(now);
    grants.push_back(now);
    while (grants.front() < now - absl::Seconds(60)) grants.pop_front();
    ASSERT_LE(grants.size(), kLimit);
  }
}

TEST(RateWindowTest, TakesBackWhatWasTooMuchWhereItWasAdded) {
  RateWindow window;
  window.Add(kWindowStart, 100);
  window.Add(kWindowStart + absl::Seconds(10), 50);
  window.Take(kWindowStart, 70);
  EXPECT_EQ(window.Used(kWindowStart + absl::Seconds(60)), 80u);
  EXPECT_EQ(window.Used(kWindowStart + absl::Seconds(61)), 50u);
  window.Take(kWindowStart, 30);  // forgotten
  EXPECT_EQ(window.Used(kWindowStart + absl::Seconds(61)), 50u);
}

TEST(RateWindowTest, MoreThanTheLimitHasRoomWhileNothingIsUsed) {
  RateWindow window;
  EXPECT_EQ(window.RoomAt(100, 1'000, kWindowStart), kWindowStart);
  window.Add(kWindowStart, 1);
  EXPECT_EQ(window.RoomAt(100, 1'000, kWindowStart), kWindowStart + absl::Seconds(61));
  EXPECT_EQ(window.RoomAt(100, 99, kWindowStart), kWindowStart);
}

TEST(RateWindowTest, ADayForgetsInQuartersOfAnHour) {
  DayWindow window;
  const absl::Time bucket = absl::FromUnixSeconds(absl::ToUnixSeconds(kWindowStart) / 900 * 900);
  window.Add(bucket + absl::Minutes(10));
  EXPECT_EQ(window.Used(bucket + absl::Hours(24) + absl::Minutes(14)), 1u);
  EXPECT_EQ(window.RoomAt(1, 1, bucket + absl::Hours(1)), bucket + absl::Hours(24) + absl::Minutes(15));
  EXPECT_EQ(window.Used(bucket + absl::Hours(24) + absl::Minutes(15)), 0u);
}

}  // namespace
}  // namespace ccr::core
