#include "broker/base/clock.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

namespace {

std::atomic<int64_t> wall_offset{0};  // seconds
std::atomic<int64_t> boot_offset{0};

}  // namespace

// What all of this executable asks for the time.
extern "C" int clock_gettime(clockid_t id, timespec* time) noexcept {
  const int result = static_cast<int>(syscall(SYS_clock_gettime, id, time));
  if (id == CLOCK_REALTIME) time->tv_sec += wall_offset;
  if (id == CLOCK_BOOTTIME) time->tv_sec += boot_offset;
  return result;
}

namespace ccr {
namespace {

TEST(MonotonicWallClockTest, SettingTheSystemsClockChangesNothing) {
  const MonotonicWallClock clock;
  const absl::Time before = clock.Now();
  EXPECT_LT(absl::AbsDuration(absl::Now() - before), absl::Minutes(1));
  for (const int64_t hours : {-48, 48}) {
    wall_offset = hours * 3600;
    EXPECT_GT(absl::AbsDuration(absl::Now() - before), absl::Hours(47));
    EXPECT_LT(absl::AbsDuration(clock.Now() - before), absl::Minutes(1));
  }
  wall_offset = 0;
}

TEST(MonotonicWallClockTest, ASuspendOfTheMachineCounts) {
  const MonotonicWallClock clock;
  const absl::Time before = clock.Now();
  boot_offset = 8 * 3600;
  wall_offset = 8 * 3600;
  EXPECT_GE(clock.Now() - before, absl::Hours(8));
  EXPECT_LT(clock.Now() - before, absl::Hours(8) + absl::Minutes(1));
  boot_offset = 0;
  wall_offset = 0;
}

}  // namespace
}  // namespace ccr
