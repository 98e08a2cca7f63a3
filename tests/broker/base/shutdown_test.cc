#include "broker/base/shutdown.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <future>

namespace ccr {
namespace {

// In a process of its own: the watcher blocks signals for good.
TEST(SignalWatcherDeathTest, DrainsThenReloadsThenEndsAtTheSecondSignal) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        std::promise<void> drained;
        std::promise<void> reloaded;
        SignalWatcher watcher;
        watcher.Run([&] { drained.set_value(); }, [&] { reloaded.set_value(); });
        kill(getpid(), SIGHUP);
        reloaded.get_future().wait();
        kill(getpid(), SIGTERM);
        drained.get_future().wait();
        kill(getpid(), SIGINT);
        pause();
      },
      testing::ExitedWithCode(130), "");
}

// The second SIGTERM comes after the SIGHUP has been taken: what SIGHUP does is done by then.
TEST(SignalWatcherDeathTest, ReloadsNoMoreOnceItDrains) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        std::promise<void> drained;
        SignalWatcher watcher;
        watcher.Run([&] { drained.set_value(); }, [] { _exit(1); });
        kill(getpid(), SIGTERM);
        drained.get_future().wait();
        kill(getpid(), SIGHUP);
        sigset_t pending;
        do sigpending(&pending);
        while (sigismember(&pending, SIGHUP) == 1);
        kill(getpid(), SIGTERM);
        pause();
      },
      testing::ExitedWithCode(130), "");
}

TEST(SignalWatcherDeathTest, StopsWatchingWhenDestroyed) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        {
          SignalWatcher watcher;
          watcher.Run([] {}, [] {});
        }
        _exit(7);
      },
      testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace ccr
