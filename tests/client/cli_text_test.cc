#include <gtest/gtest.h>

#include "client/cli/text.h"

namespace ccr::cli {
namespace {

TEST(TextTest, WaitIsRoundedUp) {
  EXPECT_EQ(FormatWait(absl::Seconds(-1)), "0s");
  EXPECT_EQ(FormatWait(absl::ZeroDuration()), "0s");
  EXPECT_EQ(FormatWait(absl::Nanoseconds(1)), "1 ms");
  EXPECT_EQ(FormatWait(absl::Milliseconds(999)), "999 ms");
  EXPECT_EQ(FormatWait(absl::Microseconds(999001)), "1s");
  EXPECT_EQ(FormatWait(absl::Milliseconds(1001)), "2s");
  EXPECT_EQ(FormatWait(absl::Seconds(59)), "59s");
  EXPECT_EQ(FormatWait(absl::Seconds(60)), "1m 00s");
  EXPECT_EQ(FormatWait(absl::Seconds(125)), "2m 05s");
  EXPECT_EQ(FormatWait(absl::Seconds(3599)), "59m 59s");
  EXPECT_EQ(FormatWait(absl::Minutes(63)), "1h 03m");
  EXPECT_EQ(FormatWait(absl::Hours(24)), "1d 00h");
}

TEST(TextTest, AgeIsRoundedDown) {
  EXPECT_EQ(FormatAgo(absl::Seconds(-5)), "now");
  EXPECT_EQ(FormatAgo(absl::Milliseconds(999)), "now");
  EXPECT_EQ(FormatAgo(absl::Milliseconds(1999)), "1s ago");
  EXPECT_EQ(FormatAgo(absl::Seconds(125)), "2m 05s ago");
}

TEST(TextTest, FitCutsByCodePointsAndDisarmsControlCharacters) {
  EXPECT_EQ(Fit("abcdef", 6), "abcdef");
  EXPECT_EQ(Fit("abcdef", 5), "abcd…");
  EXPECT_EQ(Fit("äöüß", 4), "äöüß");
  EXPECT_EQ(Fit("äöüß", 3), "äö…");
  EXPECT_EQ(Fit("abc", 0), "");
  EXPECT_EQ(Fit("a\x1b[31mb\n", 20), "a?[31mb?");
}

TEST(TextTest, NearestCommand) {
  const std::vector<std::string> commands{"start", "stop", "status", "restart", "rotation"};
  EXPECT_EQ(Nearest("rotaton", commands), "rotation");
  EXPECT_EQ(Nearest("satrt", commands), "start");
  EXPECT_EQ(Nearest("stats", commands), "status");
  EXPECT_EQ(Nearest("statuss", commands), "status");
  EXPECT_EQ(Nearest("rtn", commands), "");
  EXPECT_EQ(Nearest("frobnicate", commands), "");
}

}  // namespace
}  // namespace ccr::cli
