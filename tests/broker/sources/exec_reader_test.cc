#include "broker/adapters/sources/exec_reader.h"

#include <errno.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <vector>

namespace ccr {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ExecReaderTest : public ::testing::Test {
 protected:
  ExecReaderTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ccr-exec-XXXXXX").string();
    dir_ = mkdtemp(pattern.data());
  }
  ~ExecReaderTest() override { std::filesystem::remove_all(dir_); }

  SecretSource Shell(const std::string& script) const {
    SecretSource source;
    source.kind = SecretSource::Kind::kExec;
    source.argv = {"sh", "-c", script};
    source.environment = {"PATH=/usr/bin:/bin", "GIVEN=a b"};
    source.folder = dir_;
    source.ttl = absl::Minutes(5);
    return source;
  }
  std::string Out(const std::string& script) {
    const absl::StatusOr<SecretReading> reading = reader_.Read(Shell(script));
    return reading.ok() ? std::string(reading->text.Reveal()) : reading.status().ToString();
  }
  // The process whose number a script has written there, once it has.
  pid_t PidIn(const std::string& name) const {
    for (pid_t pid = 0;; std::this_thread::yield()) {
      if (std::ifstream(dir_ + "/" + name) >> pid && pid > 0) return pid;
    }
  }
  // A child of ours is waited for when the read ends; its own children are, soon, by init or whoever takes them.
  static bool IsGone(pid_t pid) {
    std::string state;
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    stat >> state >> state >> state;
    return !stat || state == "Z" || state == "X";
  }

  std::string dir_;
  ExecReader reader_;
};

TEST_F(ExecReaderTest, GivesWhatTheProgramPrints) {
  const absl::StatusOr<SecretReading> reading = reader_.Read(Shell("echo canary-key-a1; echo noise >&2"));
  ASSERT_TRUE(reading.ok()) << reading.status();
  EXPECT_EQ(reading->text.Reveal(), "canary-key-a1\n");
  EXPECT_EQ(reading->valid_for, absl::Minutes(5));
}

TEST_F(ExecReaderTest, WhatMayBeASecretIsNotTold) {
  const std::string told =
      Out("echo 'cannot open /etc/keys/team1.yaml: token=canary0hp_ABCDEF0123 password: hunter2canary, hvs.CANARY0x "
          "(try 2)' >&2;"
          " exit 3");
  EXPECT_NE(told.find("cannot open /etc/keys/team1.yaml: token=[redacted] password: [redacted], [redacted] (try 2)"),
            std::string::npos)
      << told;
}

TEST_F(ExecReaderTest, TheProgramHasItsOwnEnvironmentFolderAndNoInput) {
  setenv("CCR_TEST_STRANGER", "yes", 1);
  EXPECT_EQ(Out("env | grep -v -e ^_ -e ^PWD -e ^SHLVL -e ^OLDPWD | sort"), "GIVEN=a b\nPATH=/usr/bin:/bin\n");
  EXPECT_EQ(Out("pwd"), std::filesystem::canonical(dir_).string() + "\n");
  EXPECT_EQ(Out("cat; ls /proc/self/fd | wc -l"), "4\n") << "standard streams, and the folder that ls reads";
  EXPECT_EQ(Out("grep SigBlk /proc/self/status"), "SigBlk:\t0000000000000000\n");
}

TEST_F(ExecReaderTest, TellsHowItFailed) {
  absl::Status status = reader_.Read(Shell("echo 'no such\titem' >&2; exit 3")).status();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_EQ(status.message(), "ended with status 3: no such item");
  EXPECT_EQ(reader_.Read(Shell("exit 1")).status().message(), "ended with status 1");
  EXPECT_EQ(reader_.Read(Shell("kill -TERM $$")).status().message(), "was ended by signal 15");
  SecretSource none = Shell("");
  none.argv = {"no-such-program-here"};
  EXPECT_TRUE(absl::IsNotFound(reader_.Read(none).status()));
  none.argv = {dir_};
  EXPECT_TRUE(absl::IsPermissionDenied(reader_.Read(none).status()));
}

TEST_F(ExecReaderTest, NoSecretIsShown) {
  const absl::Status status =
      reader_.Read(Shell("echo canary-key-a1; echo got canary-key-a1 Bearer abcdefghijklmnop0123456789 >&2; exit 1"))
          .status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("ended with status 1: got [redacted]"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("canary")));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("abcdefghij")));
  const absl::Status much = reader_.Read(Shell("head -c 1000000 /dev/zero >&2; exit 1")).status();
  EXPECT_LT(much.message().size(), 500u);
}

TEST_F(ExecReaderTest, WhatPrintsWithoutEndIsEnded) {
  const absl::Status status = reader_.Read(Shell("yes")).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(status.message(), "prints more than 1048576 bytes");
}

TEST_F(ExecReaderTest, WhatTakesTooLongIsEnded) {
  ExecReader impatient(absl::Milliseconds(100));
  const absl::Status status = impatient.Read(Shell("sleep 1000 & echo $! > child; echo $$ > pid; wait")).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status));
  EXPECT_EQ(status.message(), "did not end within 100ms");
}

TEST_F(ExecReaderTest, WhatItLeavesBehindIsNotWaitedFor) {
  EXPECT_EQ(Out("sleep 1000 & echo $! > child; echo canary-key-a1"), "canary-key-a1\n");
  const pid_t child = PidIn("child");
  while (!IsGone(child)) std::this_thread::yield();
}

TEST_F(ExecReaderTest, StopEndsIt) {
  std::future<absl::Status> status = std::async(std::launch::async, [this] {
    return reader_.Read(Shell("echo $$ > pid.new; mv pid.new pid; exec sleep 1000")).status();
  });
  const pid_t pid = PidIn("pid");
  reader_.Stop();
  EXPECT_TRUE(absl::IsCancelled(status.get()));
  EXPECT_TRUE(IsGone(pid));
  EXPECT_TRUE(absl::IsCancelled(reader_.Read(Shell("echo canary-key-a1")).status()));
}

}  // namespace
}  // namespace ccr
