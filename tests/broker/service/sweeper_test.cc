#include "broker/service/sweeper.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>

#include "tests/broker/service/fixture.h"

namespace ccr {
namespace {

// While the machine is suspended the clock goes on, and nothing wakes who waits.
TEST(SweeperTest, DoesWhatBecameDueWhileTheMachineWasSuspended) {
  ManualClock clock;
  Sweeper sweeper(&clock);
  std::promise<void> first;
  std::promise<void> second;
  int sweeps = 0;
  sweeper.Start([&] {
    ++sweeps;
    if (sweeps == 1) first.set_value();
    if (sweeps == 2) second.set_value();
    return sweeps == 1 ? clock.Now() + absl::Minutes(30) : absl::InfiniteFuture();
  });
  first.get_future().wait();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  clock.Advance(absl::Hours(8));
  EXPECT_EQ(second.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
  sweeper.Stop();
}

}  // namespace
}  // namespace ccr
