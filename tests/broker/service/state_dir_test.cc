#include "broker/service/state_dir.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include "absl/time/clock.h"

namespace ccr {
namespace {

namespace fs = std::filesystem;

class StateDirTest : public testing::Test {
 protected:
  StateDirTest() {
    std::string pattern = testing::TempDir() + "state_dir_XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~StateDirTest() override { fs::remove_all(folder_); }

  static absl::StatusOr<StateDir> Open(const std::string& path) { return StateDir::Open(path, absl::ZeroDuration()); }

  std::string folder_;
};

TEST_F(StateDirTest, IsPrivateAndKeepsItsSalt) {
  const std::string state = folder_ + "/deep/state";
  std::string salt;
  {
    const auto first = Open(state);
    ASSERT_TRUE(first.ok()) << first.status();
    salt = first->salt().Reveal();
  }
  EXPECT_EQ(fs::status(state).permissions(), fs::perms::owner_all);
  const auto second = Open(state);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->salt().Reveal(), salt);
}

TEST_F(StateDirTest, CannotBeBelowAFile) {
  std::ofstream(folder_ + "/file") << "text";
  const auto below = Open(folder_ + "/file/state");
  EXPECT_EQ(below.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(below.status().message().find(folder_ + "/file/state"), absl::string_view::npos) << below.status();
}

TEST_F(StateDirTest, IsHeldByOne) {
  std::optional<StateDir> kept;
  {
    auto first = Open(folder_);
    ASSERT_TRUE(first.ok()) << first.status();
    kept.emplace(*std::move(first));
  }
  const auto second = Open(folder_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(second.status().message().find(folder_), absl::string_view::npos) << second.status();
  kept.reset();
  EXPECT_TRUE(Open(folder_).ok());
}

TEST_F(StateDirTest, WaitsForOneThatEnds) {
  auto first = Open(folder_);
  ASSERT_TRUE(first.ok()) << first.status();
  std::thread ending([held = *std::move(first)]() mutable {
    absl::SleepFor(absl::Milliseconds(100));
    const StateDir end = std::move(held);
  });
  EXPECT_TRUE(StateDir::Open(folder_, absl::Seconds(30)).ok());
  ending.join();
}

TEST_F(StateDirTest, IsFreeAgainAfterAFailedOpen) {
  std::ofstream(folder_ + "/fingerprint.salt") << "too short";
  ASSERT_FALSE(Open(folder_).ok());
  fs::remove(folder_ + "/fingerprint.salt");
  EXPECT_TRUE(Open(folder_).ok());
}

TEST_F(StateDirTest, IsRefusedWhenOthersMayWriteToIt) {
  for (const fs::perms more : {fs::perms::others_write, fs::perms::group_write}) {
    fs::permissions(folder_, fs::perms::owner_all | more);
    const auto open_to_others = Open(folder_);
    EXPECT_EQ(open_to_others.status().code(), absl::StatusCode::kPermissionDenied);
    EXPECT_NE(open_to_others.status().message().find("chmod go-w"), absl::string_view::npos);
  }
  fs::permissions(folder_, fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
  EXPECT_TRUE(Open(folder_).ok());
}

}  // namespace
}  // namespace ccr
