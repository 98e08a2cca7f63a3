#include "broker/base/program_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>

namespace ccr {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kLong = absl::Minutes(1);

Program Shell(const std::string& script) {
  return {{"/bin/sh", "-c", script}, {"PATH=/usr/bin:/bin"}, ""};
}

std::string Said(const absl::StatusOr<Secret>& output) {
  return output.ok() ? std::string(output->Reveal()) : "error: " + std::string(output.status().message());
}

TEST(ProgramOutputTest, IsWhatItWroteToItsOutput) {
  EXPECT_EQ(Said(OutputOf(Shell("echo canary; echo other >&2"), 100, kLong)), "canary\n");
  EXPECT_EQ(Said(OutputOf(Shell(":"), 100, kLong)), "");
  EXPECT_EQ(Said(OutputOf({{"sh", "-c", "echo in PATH"}, {}, ""}, 100, kLong)), "in PATH\n");
}

TEST(ProgramOutputTest, RunsWithWhatItIsGivenAndNothingElse) {
  setenv("CCR_CANARY", "canary", 1);
  EXPECT_EQ(Said(OutputOf({{"/usr/bin/env"}, {"A=b", "C=d e"}, ""}, 1000, kLong)), "A=b\nC=d e\n");
  EXPECT_EQ(Said(OutputOf({{"/bin/pwd"}, {}, "/usr"}, 1000, kLong)), "/usr\n");
  EXPECT_EQ(Said(OutputOf(Shell("cat; ls /proc/self/fd | wc -l"), 100, kLong)), "4\n");  // the fourth is ls's own
  EXPECT_EQ(Said(OutputOf({{"/usr/bin/printf", "%s", "$HOME `id`"}, {}, ""}, 100, kLong)), "$HOME `id`");
}

TEST(ProgramOutputTest, WhatFails) {
  EXPECT_EQ(OutputOf({{"/none/program"}, {}, ""}, 100, kLong).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Said(OutputOf({{"/none/program"}, {}, ""}, 100, kLong)), HasSubstr("cannot be run: No such file"));
  EXPECT_THAT(Said(OutputOf(Shell("echo canary; exit 7"), 100, kLong)), HasSubstr("failed with exit status 7"));
  EXPECT_THAT(Said(OutputOf(Shell("kill -9 $$"), 100, kLong)), HasSubstr("ended by signal 9"));
  EXPECT_THAT(Said(OutputOf(Shell("echo canary; exit 7"), 100, kLong)), Not(HasSubstr("canary")));
}

TEST(ProgramOutputTest, IsBounded) {
  EXPECT_EQ(Said(OutputOf(Shell("printf 1234567890"), 10, kLong)), "1234567890");
  EXPECT_THAT(Said(OutputOf(Shell("printf 12345678901"), 10, kLong)), HasSubstr("wrote more than 10 bytes"));
  EXPECT_THAT(Said(OutputOf(Shell("while :; do echo endless; done"), 100, kLong)), HasSubstr("more than 100 bytes"));
}

TEST(ProgramOutputTest, WhatDoesNotEndIsEnded) {
  const absl::StatusOr<Secret> output = OutputOf(Shell("sleep 1000 & sleep 1000"), 100, absl::Milliseconds(50));
  EXPECT_EQ(output.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(Said(output), HasSubstr("did not end within 50ms"));
}

// As an agent that the program starts.
TEST(ProgramOutputTest, DoesNotWaitForWhatRunsOn) {
  EXPECT_EQ(Said(OutputOf(Shell("sleep 5 & echo done"), 100, kLong)), "done\n");
}

}  // namespace
}  // namespace ccr
