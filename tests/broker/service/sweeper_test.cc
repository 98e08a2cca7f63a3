#include "broker/service/sweeper.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>

#include "tests/broker/service/fixture.h"

namespace ccr {
namespace {

// Tells when the sweeper has computed how long it sleeps after its first sweep.
struct WatchedClock : Clock {
  absl::Time Now() const override {
    constexpr int kBeforeTheSweep = 1, kAfterIt = 2;
    if (++calls == kBeforeTheSweep + kAfterIt) asked.set_value();
    return time.Now();
  }
  ManualClock time;
  mutable std::promise<void> asked;
  mutable std::atomic<int> calls = 0;
};

// While the machine is suspended the clock goes on, and nothing wakes who waits.
TEST(SweeperTest, DoesWhatBecameDueWhileTheMachineWasSuspended) {
  WatchedClock clock;
  Sweeper sweeper(&clock);
  std::promise<void> second;
  int sweeps = 0;
  sweeper.Start([&] {
    ++sweeps;
    if (sweeps == 2) second.set_value();
    return sweeps == 1 ? clock.time.Now() + absl::Minutes(30) : absl::InfiniteFuture();
  });
  clock.asked.get_future().wait();
  clock.time.Advance(absl::Hours(8));
  EXPECT_EQ(second.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
  sweeper.Stop();
}

}  // namespace
}  // namespace ccr
