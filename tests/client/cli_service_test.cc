#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>

#include "absl/time/clock.h"
#include "client/cli/service/service.h"
#include "tests/client/cli_fakes.h"

namespace ccr::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(ServiceTest, StartReturnsWhenBothAreReady) {
  ASSERT_EQ(Start(options(), false, terminal_), 0) << err_.str();
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("http://127.0.0.1:3999"),
                                HasSubstr("ANTHROPIC_BASE_URL=http://127.0.0.1:3999"), Not(HasSubstr("canary"))));
  ASSERT_TRUE(FindRunning(files()));
  EXPECT_EQ(FileLines(files().pid_path())[0], std::to_string(FindRunning(files())->pid));
  const std::string socket = "unix:" + folder_ + "/state/broker.sock";
  EXPECT_EQ(files().ReadAddresses(),
            (ServiceAddresses{
                socket, "127.0.0.1:9999", "127.0.0.1:3999", "127.0.0.1:9998", files().config_path(), {socket}}));
  EXPECT_EQ(FileLines(folder_ + "/broker.args")[0], "--config " + folder_ + "/config.json --listen " + socket);
  EXPECT_THAT(FileLines(folder_ + "/proxy.args")[0],
              AllOf(HasSubstr("--broker " + socket), HasSubstr("--listen 127.0.0.1:3456"),
                    HasSubstr("--metrics-listen 127.0.0.1:9462"), HasSubstr("--drain-timeout 30"),
                    HasSubstr("--log-level info --log-format text")));
}

TEST_F(ServiceTest, StopEndsTheProxyBeforeTheBroker) {
  ASSERT_EQ(Start(options(), false, terminal_), 0) << err_.str();
  EXPECT_EQ(Stop(options(), terminal_), 0);
  EXPECT_THAT(out_.str(), HasSubstr("ccr is stopped."));
  EXPECT_THAT(FileLines(folder_ + "/order"), ElementsAre("proxy", "broker"));
  EXPECT_FALSE(FindRunning(files()));
  EXPECT_FALSE(std::filesystem::exists(files().pid_path()));
  EXPECT_FALSE(std::filesystem::exists(files().addr_path()));
}

TEST_F(ServiceTest, StopOfNothingIsFine) {
  EXPECT_EQ(Stop(options(), terminal_), 0);
  EXPECT_EQ(out_.str(), "ccr is not running.\n");
}

TEST_F(ServiceTest, LogsArePrivateAndAppended) {
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(Start(options(), false, terminal_), 0) << err_.str();
    ASSERT_EQ(Stop(options(), terminal_), 0);
  }
  EXPECT_THAT(FileLines(files().log_path("ccr-broker")), ElementsAre(kBrokerReady, kBrokerReady));
  EXPECT_THAT(FileLines(files().log_path("ccr-proxy")), ElementsAre(kProxyReady, kProxyReady));
  struct stat info {};
  ASSERT_EQ(stat(files().log_path("ccr-proxy").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(ServiceTest, SecondStartIsRefused) {
  ASSERT_EQ(Start(options(), false, terminal_), 0) << err_.str();
  EXPECT_EQ(Start(options(), false, terminal_), 1);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("already running"), HasSubstr("http://127.0.0.1:3999")));
  EXPECT_EQ(Pids("broker").size(), 1U);
}

TEST_F(ServiceTest, PidFileOfAnotherLiveProcessIsStale) {
  std::ofstream(files().pid_path()) << getpid() << "\n";
  EXPECT_FALSE(FindRunning(files()));
  EXPECT_EQ(Status(options(), terminal_), 3);
  EXPECT_EQ(Stop(options(), terminal_), 0);
  ASSERT_EQ(Start(options(), false, terminal_), 0) << err_.str();
  EXPECT_NE(FindRunning(files())->pid, getpid());
}

TEST_F(ServiceTest, DaemonsDieWithAKilledSupervisor) {
  ASSERT_EQ(Start(options(), false, terminal_), 0) << err_.str();
  ASSERT_EQ(kill(FindRunning(files())->pid, SIGKILL), 0);
  const std::vector<pid_t> daemons{Pids("broker")[0], Pids("proxy")[0]};
  EXPECT_TRUE(Eventually([&] { return std::none_of(daemons.begin(), daemons.end(), IsAlive); }));
  EXPECT_TRUE(Eventually([&] { return !FindRunning(files()); }));
  EXPECT_TRUE(std::filesystem::exists(files().pid_path()));
  EXPECT_EQ(Start(options(), false, terminal_), 0) << err_.str();
}

TEST_F(ServiceTest, WhatAFailedDaemonSaidIsPassedOn) {
  WriteProxy("echo 'ccr-proxy: cannot listen on 127.0.0.1:3456: the port is in use' >&2\nexit 1\n");
  const absl::Time begin = absl::Now();
  EXPECT_EQ(Start(options(), false, terminal_), 1);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(20));  // no waiting for what has already ended
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("127.0.0.1:3456: the port is in use\n"), HasSubstr("exit status 1")));
  EXPECT_FALSE(FindRunning(files()));
  EXPECT_FALSE(std::filesystem::exists(files().pid_path()));
  EXPECT_FALSE(IsAlive(Pids("broker")[0]));
  EXPECT_THAT(FileLines(files().log_path("ccr-proxy")), ElementsAre(HasSubstr("the port is in use")));
}

TEST_F(ServiceTest, ProxyIsNotStartedWithoutABroker) {
  WriteBroker("echo 'config.json:3: bad' >&2\nexit 2\n");
  EXPECT_EQ(Start(options(), false, terminal_), 2);
  EXPECT_THAT(err_.str(), HasSubstr("config.json:3: bad\n"));
  EXPECT_TRUE(Pids("proxy").empty());
}

TEST_F(ServiceTest, MissingDaemonIsNamed) {
  std::filesystem::remove(folder_ + "/ccr-proxy");
  EXPECT_EQ(Start(options(), false, terminal_), 1);
  EXPECT_THAT(err_.str(), HasSubstr(folder_ + "/ccr-proxy is missing"));
}

TEST_F(ServiceTest, BadConfigurationStartsNothing) {
  std::ofstream(folder_ + "/config.json") << "{Providers: [{name: 'demo'}]}";
  EXPECT_EQ(Start(options(), false, terminal_), 2);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("config.json"), HasSubstr("demo"), HasSubstr("api_base_url")));
  EXPECT_TRUE(Pids("broker").empty());
}

TEST_F(ServiceTest, DeadDaemonIsStartedAgain) {
  ASSERT_EQ(Start(options(), false, terminal_), 0) << err_.str();
  for (const char* name : {"proxy", "broker"}) {
    ASSERT_EQ(kill(Pids(name)[0], SIGKILL), 0);
    EXPECT_TRUE(Eventually([&] { return Pids(name).size() == 2; })) << name;
    EXPECT_THAT(ReadFile(files().log_path(std::string("ccr-") + name)),
                HasSubstr("signal 9 (Killed); starting it again"));
  }
  EXPECT_EQ(Pids("proxy").size(), 2U);
  EXPECT_EQ(FileLines(folder_ + "/broker.args")[1], FileLines(folder_ + "/broker.args")[0]);
  EXPECT_EQ(Status(options(), terminal_), 0);
}

TEST_F(ServiceTest, AHangupOfTheSupervisorReachesTheBroker) {
  ASSERT_EQ(Start(options(), false, terminal_), 0) << err_.str();
  ASSERT_EQ(kill(FindRunning(files())->pid, SIGHUP), 0);
  EXPECT_TRUE(Eventually([&] { return ReadFile(folder_ + "/order") == "reload\n"; }));
}

TEST_F(ServiceTest, AServiceOfAnotherConfigurationIsLeftAloneAndNamed) {
  ASSERT_EQ(Start(options(), false, terminal_), 0) << err_.str();
  const pid_t running = FindRunning(files())->pid;
  ServiceOptions other = options();
  other.config_path = folder_ + "/b.json";
  std::filesystem::copy(folder_ + "/config.json", other.config_path);
  for (const auto& command : {Stop, Restart, Reload}) {
    err_.str("");
    EXPECT_EQ(command(other, terminal_), 1);
    EXPECT_THAT(err_.str(), AllOf(HasSubstr("runs with " + folder_ + "/config.json"), HasSubstr(other.config_path)));
  }
  EXPECT_EQ(Start(other, false, terminal_), 1);
  EXPECT_EQ(FindRunning(files())->pid, running);
  out_.str("");
  EXPECT_EQ(Status(other, terminal_), 0);
  EXPECT_THAT(out_.str(), HasSubstr("config    " + folder_ + "/config.json\n"));
}

TEST_F(ServiceTest, ARunFolderHoldsWhatTheServiceWrites) {
  ServiceOptions apart = options();
  apart.run_dir = folder_ + "/deep/run";
  ASSERT_EQ(Start(apart, false, terminal_), 0) << err_.str();
  EXPECT_FALSE(FindRunning(files()));
  const ServiceFiles there = FilesOf(apart);
  EXPECT_TRUE(FindRunning(there));
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/deep/run/logs/ccr-proxy.log"));
  EXPECT_THAT(FileLines(folder_ + "/broker.args")[0],
              AllOf(HasSubstr("--listen unix:" + apart.run_dir + "/state/broker.sock"),
                    HasSubstr("--state-dir " + apart.run_dir + "/state")));
  EXPECT_EQ(Stop(apart, terminal_), 0) << err_.str();
  EXPECT_FALSE(FindRunning(there));
}

TEST_F(ServiceTest, RestartChecksTheConfigurationFirst) {
  ASSERT_EQ(Start(options(), false, terminal_), 0) << err_.str();
  const pid_t first = FindRunning(files())->pid;
  ASSERT_EQ(Restart(options(), terminal_), 0) << err_.str();
  const pid_t second = FindRunning(files())->pid;
  EXPECT_NE(second, first);
  std::ofstream(folder_ + "/config.json") << "{Providers: [{name: 'demo'}]}";
  EXPECT_EQ(Restart(options(), terminal_), 2);
  EXPECT_EQ(FindRunning(files())->pid, second);
}

TEST_F(ServiceTest, StatusTellsWhereItRuns) {
  EXPECT_EQ(Status(options(), terminal_), 3);
  EXPECT_THAT(err_.str(), HasSubstr("not running"));
  ASSERT_EQ(Start(options(), false, terminal_), 0) << err_.str();
  out_.str("");
  EXPECT_EQ(Status(options(), terminal_), 0);
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("pid " + std::to_string(FindRunning(files())->pid)), HasSubstr("http://127.0.0.1:3999"),
                    HasSubstr("the broker does not answer; see " + files().log_path("ccr-broker"))));
}

TEST_F(ServiceTest, TheBrokersAddressPrefersFlagThenServiceThenConfiguration) {
  ServiceOptions given = options();
  EXPECT_EQ(FindBroker(given).address, "127.0.0.1:50061");
  ASSERT_EQ(Start(given, false, terminal_), 0) << err_.str();
  EXPECT_EQ(FindBroker(given).address, "unix:" + folder_ + "/state/broker.sock");
  given.broker = "unix:/run/other.sock";
  EXPECT_EQ(FindBroker(given).address, "unix:/run/other.sock");
}

TEST_F(ServiceTest, ForegroundStaysUntilTold) {
  const pid_t child = fork();
  if (child == 0) {
    std::ofstream log(folder_ + "/terminal");
    _exit(Start(options(), true, {log, log}));
  }
  ASSERT_TRUE(Eventually([&] { return files().ReadAddresses().has_value(); }));
  EXPECT_EQ(FindRunning(files())->pid, child);
  ASSERT_EQ(kill(child, SIGINT), 0);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_THAT(FileLines(folder_ + "/order"), ElementsAre("proxy", "broker"));
}

TEST_F(ServiceTest, ABrokerThatEverybodyMayUseIsToldLoudly) {
  Configure("Broker: {listen: '127.0.0.1:0'}");
  ASSERT_EQ(Start(options(), false, terminal_), 0) << err_.str();
  EXPECT_EQ(files().ReadAddresses()->broker, "127.0.0.1:50999");
  EXPECT_THAT(err_.str(), HasSubstr("WARNING: ANYBODY WHO REACHES 127.0.0.1:50999 CAN TAKE YOUR KEYS"));
  out_.str("");
  EXPECT_EQ(Status(options(), terminal_), 0);
  EXPECT_THAT(out_.str(), HasSubstr("WARNING: ANYBODY WHO REACHES 127.0.0.1:50999 "));
}

}  // namespace
}  // namespace ccr::cli
