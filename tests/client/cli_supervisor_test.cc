#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cli/service/daemon.h"
#include "client/cli/service/supervisor.h"
#include "tests/client/cli_fakes.h"

namespace ccr::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(RestartBackoffTest, DoublesUpToFiveSeconds) {
  EXPECT_EQ(RestartBackoff(1), absl::Milliseconds(100));
  EXPECT_EQ(RestartBackoff(2), absl::Milliseconds(200));
  EXPECT_EQ(RestartBackoff(6), absl::Milliseconds(3200));
  EXPECT_EQ(RestartBackoff(7), absl::Seconds(5));
  EXPECT_EQ(RestartBackoff(1000000), absl::Seconds(5));
}

TEST(ReadyLineTest, NamesTheAddresses) {
  const auto ready = ParseReadyLine("ccr-broker", "ccr-broker ready: grpc=unix:/run/a=b.sock metrics=[::1]:9461");
  ASSERT_TRUE(ready);
  EXPECT_THAT(*ready, ElementsAre(Pair("grpc", "unix:/run/a=b.sock"), Pair("metrics", "[::1]:9461")));
  const std::string json = R"({"time":"t","level":"info","event":"ready","program":"ccr-broker","grpc":"unix:/b"})";
  EXPECT_EQ(ParseReadyLine("ccr-broker", json)->at("grpc"), "unix:/b");
  EXPECT_FALSE(ParseReadyLine("ccr-proxy", json));
  EXPECT_FALSE(ParseReadyLine("ccr-broker", R"({"event":"other","program":"ccr-broker"})"));
  EXPECT_FALSE(ParseReadyLine("ccr-broker", "{"));
  EXPECT_FALSE(ParseReadyLine("ccr-broker", "ccr-proxy ready: http=127.0.0.1:1"));
  EXPECT_FALSE(ParseReadyLine("ccr-broker", "not ccr-broker ready: grpc=127.0.0.1:1"));
}

TEST(PlainEnvironmentTest, HoldsNothingThatAKeyCouldBe) {
  EXPECT_THAT(PlainEnvironment({"PATH=/bin", "OPENAI_KEY=canary-key-1", "LC_ALL=C.UTF-8", "PATHS=canary-key-2",
                                "HOME=", "TZ=UTC=x", "SSL_CERT_FILE=/ca", "ASAN_OPTIONS=a=b",
                                "http_proxy=http://u:canary-key-3@p", "K", ""}),
              ElementsAre("PATH=/bin", "LC_ALL=C.UTF-8", "HOME=", "TZ=UTC=x", "SSL_CERT_FILE=/ca", "ASAN_OPTIONS=a=b"));
}

TEST(ConnectableTest, EveryInterfaceBecomesLoopback) {
  EXPECT_EQ(Connectable("0.0.0.0:50061"), "127.0.0.1:50061");
  EXPECT_EQ(Connectable("[::]:50061"), "[::1]:50061");
  EXPECT_EQ(Connectable("10.0.0.1:50061"), "10.0.0.1:50061");
  EXPECT_EQ(Connectable("unix:/run/ccr.sock"), "unix:/run/ccr.sock");
}

TEST(AddressesTest, SurviveTheFile) {
  const ServiceAddresses addresses{"unix:/a \"b\".sock", "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"};
  EXPECT_EQ(DecodeAddresses(EncodeAddresses(addresses)), addresses);
  const ServiceAddresses more{"unix:/a", "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "/c", {"unix:/a", "[::1]:4"}};
  EXPECT_EQ(DecodeAddresses(EncodeAddresses(more)), more);
  EXPECT_EQ(DecodeAddresses(R"({"broker_listen":["a",1]})")->broker_listen, std::vector<std::string>{"a"});
  EXPECT_FALSE(DecodeAddresses(""));
  EXPECT_FALSE(DecodeAddresses("{\"broker\":"));
  EXPECT_FALSE(DecodeAddresses("[1]"));
}

class SupervisorTest : public ServiceTest {
 protected:
  SupervisorOptions Options() const {
    SupervisorOptions options{files(), folder_, {}, {}};
    options.proxy.listen = "127.0.0.1:0";
    options.proxy.metrics_listen = "127.0.0.1:0";
    options.broker.listen = {"127.0.0.1:0"};
    return options;
  }
};

TEST_F(SupervisorTest, RestartedDaemonsKeepThePortsTheyGot) {
  SupervisorOptions options = Options();
  options.proxy.workers = 3;
  ASSERT_TRUE(SuperviseInBackground(options).ok());
  EXPECT_THAT(FileLines(folder_ + "/proxy.args")[0],
              AllOf(HasSubstr("--listen 127.0.0.1:0 "), HasSubstr("--workers 3")));
  kill(Pids("broker")[0], SIGKILL);
  kill(Pids("proxy")[0], SIGKILL);
  ASSERT_TRUE(Eventually([&] { return Pids("proxy").size() == 2 && Pids("broker").size() == 2; }));
  EXPECT_THAT(FileLines(folder_ + "/proxy.args")[1],
              AllOf(HasSubstr("--broker 127.0.0.1:50999"), HasSubstr("--listen 127.0.0.1:3999"),
                    HasSubstr("--metrics-listen 127.0.0.1:9998")));
  EXPECT_EQ(FileLines(folder_ + "/broker.args")[1], "--config " + folder_ + "/config.json --listen 127.0.0.1:50999");
}

TEST_F(SupervisorTest, AHangupOpensTheLogFilesAnew) {
  SupervisorOptions options = Options();
  options.log_format = "json";
  ASSERT_TRUE(SuperviseInBackground(options).ok());
  EXPECT_THAT(FileLines(folder_ + "/proxy.args")[0], HasSubstr("--log-format json"));
  const std::string log = files().log_path("ccr-proxy");
  ASSERT_EQ(rename(log.c_str(), (log + ".1").c_str()), 0);
  kill(FindRunning(files())->pid, SIGHUP);
  EXPECT_TRUE(Eventually([&] { return access(log.c_str(), F_OK) == 0; }));
}

TEST_F(SupervisorTest, SilentDaemonIsGivenUp) {
  WriteProxy("echo 'still thinking' >&2\nexec sleep 1000\n");
  SupervisorOptions options = Options();
  options.ready_timeout = absl::Seconds(5);  // the broker must be ready in it
  const StartReport report = SuperviseInBackground(options);
  EXPECT_EQ(report.exit_code, 1);
  EXPECT_EQ(report.error, "still thinking\nccr-proxy not ready after 5s\n");
  EXPECT_FALSE(FindRunning(files()));
}

TEST_F(SupervisorTest, SecondOneFindsTheFirst) {
  ASSERT_TRUE(SuperviseInBackground(Options()).ok());
  const StartReport second = SuperviseInBackground(Options());
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_EQ(second.error, "ccr is already running\n");
  EXPECT_TRUE(files().ReadAddresses());
}

TEST_F(SupervisorTest, SecondSignalKillsADaemonThatDrains) {
  WriteProxy("trap '' TERM\n" + std::string("echo '") + kProxyReady + "' >&2\necho $$ >> " + folder_ +
             "/proxy.pids\nwhile :; do sleep 0.02; done\n");
  ASSERT_TRUE(SuperviseInBackground(Options()).ok());
  const pid_t supervisor = FindRunning(files())->pid;
  ASSERT_TRUE(Eventually([&] { return !Pids("proxy").empty(); }));
  kill(supervisor, SIGTERM);
  // The first one has been read when the kernel no longer shows it as pending.
  ASSERT_TRUE(Eventually([&] {
    return ReadFile("/proc/" + std::to_string(supervisor) + "/status").find("ShdPnd:\t0000000000000000") !=
           std::string::npos;
  }));
  EXPECT_TRUE(IsAlive(Pids("proxy")[0]));
  kill(supervisor, SIGTERM);
  EXPECT_TRUE(Eventually([&] { return !FindRunning(files()); }));
  EXPECT_FALSE(IsAlive(Pids("proxy")[0]));
  EXPECT_FALSE(IsAlive(Pids("broker")[0]));
}

TEST_F(SupervisorTest, DrainIsBounded) {
  WriteProxy("trap '' TERM\n" + std::string("echo '") + kProxyReady + "' >&2\nwhile :; do sleep 0.02; done\n");
  SupervisorOptions options = Options();
  options.proxy.drain_timeout = absl::Milliseconds(-4900);  // with the margin of 5 s: 100 ms
  for (const char* format : {"text", "json"}) {
    options.log_format = format;
    ASSERT_TRUE(SuperviseInBackground(options).ok());
    kill(FindRunning(files())->pid, SIGTERM);
    EXPECT_TRUE(Eventually([&] { return !FindRunning(files()); }));
  }
  const std::string log = ReadFile(files().log_path("ccr-proxy"));
  EXPECT_THAT(log, HasSubstr(" ccr: ccr-proxy did not end in time; killed\n"));
  EXPECT_THAT(log, HasSubstr(R"("level":"warn","event":"notice","program":"ccr",)"
                             R"("message":"ccr-proxy did not end in time; killed"})"));
}

}  // namespace
}  // namespace ccr::cli
