#include "broker/base/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>
#include <utility>
#include <vector>

namespace ccr {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kLong = absl::Minutes(1);

Program Of(std::vector<std::string> argv, std::vector<std::string> environment = {}, std::string folder = "") {
  return {std::move(argv), std::move(environment), std::move(folder), kLong, 0};
}

Program Shell(const std::string& script) {
  return Of({"/bin/sh", "-c", script}, {"PATH=/usr/bin:/bin"});
}

absl::StatusOr<Secret> OutputOf(Program program, size_t max_output, absl::Duration limit) {
  program.max_output = max_output;
  program.limit = limit;
  absl::StatusOr<ProgramEnd> end = RunProgram(program, StopEvent());
  if (!end.ok()) return end.status();
  if (absl::Status verdict = VerdictOf(*end); !verdict.ok()) return verdict;
  return std::move(end->out);
}

std::string Said(const absl::StatusOr<Secret>& output) {
  return output.ok() ? std::string(output->Reveal()) : "error: " + std::string(output.status().message());
}

TEST(ProgramTest, IsWhatItWroteToItsOutput) {
  EXPECT_EQ(Said(OutputOf(Shell("echo canary; echo other >&2"), 100, kLong)), "canary\n");
  EXPECT_EQ(Said(OutputOf(Shell(":"), 100, kLong)), "");
  EXPECT_EQ(Said(OutputOf(Of({"sh", "-c", "echo in PATH"}), 100, kLong)), "in PATH\n");
}

TEST(ProgramTest, RunsWithWhatItIsGivenAndNothingElse) {
  setenv("CCR_CANARY", "canary", 1);
  EXPECT_EQ(Said(OutputOf(Of({"/usr/bin/env"}, {"A=b", "C=d e"}), 1000, kLong)), "A=b\nC=d e\n");
  EXPECT_EQ(Said(OutputOf(Of({"/bin/pwd"}, {}, "/usr"), 1000, kLong)), "/usr\n");
  EXPECT_EQ(Said(OutputOf(Shell("cat; ls /proc/self/fd | wc -l"), 100, kLong)), "4\n");  // the fourth is ls's own
  EXPECT_EQ(Said(OutputOf(Of({"/usr/bin/printf", "%s", "$HOME `id`"}), 100, kLong)), "$HOME `id`");
}

TEST(ProgramTest, WhatFails) {
  EXPECT_EQ(OutputOf(Of({"/none/program"}), 100, kLong).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Said(OutputOf(Of({"/none/program"}), 100, kLong)),
              HasSubstr("cannot be started: there is no such program"));
  EXPECT_THAT(Said(OutputOf(Shell("echo canary; exit 7"), 100, kLong)), HasSubstr("ended with status 7"));
  EXPECT_THAT(Said(OutputOf(Shell("kill -9 $$"), 100, kLong)), HasSubstr("ended by signal 9"));
  EXPECT_THAT(Said(OutputOf(Shell("echo canary; exit 7"), 100, kLong)), Not(HasSubstr("canary")));
}

TEST(ProgramTest, IsBounded) {
  EXPECT_EQ(Said(OutputOf(Shell("printf 1234567890"), 10, kLong)), "1234567890");
  EXPECT_THAT(Said(OutputOf(Shell("printf 12345678901"), 10, kLong)), HasSubstr("prints more than 10 bytes"));
  EXPECT_THAT(Said(OutputOf(Shell("while :; do echo endless; done"), 100, kLong)), HasSubstr("more than 100 bytes"));
}

TEST(ProgramTest, WhatDoesNotEndIsEnded) {
  const absl::StatusOr<Secret> output = OutputOf(Shell("sleep 1000 & sleep 1000"), 100, absl::Milliseconds(50));
  EXPECT_EQ(output.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(Said(output), HasSubstr("did not end within 50ms"));
}

// As an agent that the program starts.
TEST(ProgramTest, DoesNotWaitForWhatRunsOn) {
  EXPECT_EQ(Said(OutputOf(Shell("sleep 5 & echo done"), 100, kLong)), "done\n");
}

}  // namespace
}  // namespace ccr
