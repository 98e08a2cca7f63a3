#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <thread>

#include "client/cli/claude_env.h"
#include "client/cli/service/session_lock.h"
#include "tests/client/cli_fakes.h"

namespace ccr::cli {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

EnvLookup EnvOf(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

TEST(ClaudeEnv, PointsAtTheService) {
  const EnvChanges changes = ClaudeEnv({}, "127.0.0.1:3456", EnvOf({}));
  EXPECT_THAT(changes, Contains(Pair("ANTHROPIC_BASE_URL", "http://127.0.0.1:3456")));
  EXPECT_THAT(changes, Contains(Pair("ANTHROPIC_AUTH_TOKEN", "test")));
  EXPECT_THAT(changes, Contains(Pair("API_TIMEOUT_MS", "600000")));
  EXPECT_THAT(changes, Contains(Pair("NO_PROXY", "127.0.0.1")));
  EXPECT_THAT(changes, Contains(Pair("ANTHROPIC_API_KEY", std::nullopt)));
  EXPECT_THAT(changes, Contains(Pair("CLAUDE_CODE_USE_BEDROCK", std::nullopt)));
  EXPECT_THAT(changes, Not(Contains(Pair("CI", "true"))));
}

TEST(ClaudeEnv, UsersNoProxyStays) {
  EXPECT_THAT(ClaudeEnv({}, "127.0.0.1:1", EnvOf({{"NO_PROXY", "corp"}, {"no_proxy", "a, 127.0.0.1"}})),
              AllOf(Contains(Pair("NO_PROXY", "corp,127.0.0.1")), Contains(Pair("no_proxy", "a, 127.0.0.1"))));
  EXPECT_THAT(ClaudeEnv({}, "[::1]:1", EnvOf({{"no_proxy", "corp"}})),
              AllOf(Contains(Pair("NO_PROXY", "corp,::1")), Contains(Pair("no_proxy", "corp,::1"))));
  EXPECT_THAT(ClaudeEnv({}, "127.0.0.1:1", EnvOf({{"NO_PROXY", "*"}})), Contains(Pair("NO_PROXY", "*")));
}

TEST(ClaudeEnv, NonInteractive) {
  Config config;
  config.non_interactive = true;
  EXPECT_THAT(ClaudeEnv(config, "127.0.0.1:1", EnvOf({})),
              AllOf(Contains(Pair("CI", "true")), Contains(Pair("FORCE_COLOR", "0")),
                    Contains(Pair("NODE_NO_READLINE", "1")), Contains(Pair("TERM", "dumb"))));
}

TEST(ClaudeEnv, ShellExportsAreQuoted) {
  EXPECT_EQ(ShellExports({{"A", "it's $(x) `y`"}, {"B", std::nullopt}}), "export A='it'\\''s $(x) `y`'\nunset B\n");
}

TEST(ClaudeEnv, ChangedReplacesAndRemoves) {
  EXPECT_THAT(Changed({"A=1", "B=2", "C=3"}, {{"A", "x"}, {"B", std::nullopt}, {"D", "y"}}),
              ElementsAre("C=3", "A=x", "D=y"));
}

class CodeTest : public AppTest {
 protected:
  void SetUp() override {
    AppTest::SetUp();
    setenv("CLAUDE_PATH", (folder_ + "/claude").c_str(), 1);
    WriteClaude("exit 0\n");
  }
  void TearDown() override {
    unsetenv("CLAUDE_PATH");
    AppTest::TearDown();
  }

  // Notes its arguments, one a line, and its environment; then `rest`.
  void WriteClaude(const std::string& rest) const {
    const std::string note = folder_ + "/claude.";
    WriteScript("claude", "for a in \"$@\"; do echo \"$a\"; done > " + note + "args\nenv > " + note + "env\n" + rest);
  }

  // `ccr code` in a process of its own, which the test ends.
  pid_t Fork(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "code");
    const pid_t child = fork();
    if (child == 0) _exit(Run(arguments));
    return child;
  }
  static int StatusOf(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  // A session that lasts until Finish(name).
  pid_t Session(const std::string& name) {
    const std::string path = folder_ + "/" + name;
    WriteClaude("touch " + path + ".begun\nwhile ! test -e " + path + ".done; do sleep 0.02; done\n");
    const pid_t child = Fork({});
    EXPECT_TRUE(Eventually([&] { return std::filesystem::exists(path + ".begun"); }));
    return child;
  }
  void Finish(const std::string& name) const { std::ofstream(folder_ + "/" + name + ".done").put('\n'); }

  std::vector<std::string> Arguments() const { return FileLines(folder_ + "/claude.args"); }
  std::vector<std::string> Environment() const { return FileLines(folder_ + "/claude.env"); }
};

TEST_F(CodeTest, ArgumentsPassAsTheyAre) {
  const std::vector<std::string> arguments{"-p", "--help", "--", "--json",    "--config",
                                           "x",  "-v",     "",   "two words", "start"};
  std::vector<std::string> line = arguments;
  line.insert(line.begin(), "code");
  EXPECT_EQ(Run(line), 0) << err_.str();
  EXPECT_EQ(Arguments(), arguments);
  EXPECT_EQ(out_.str(), "");
  EXPECT_EQ(err_.str(), "");
}

TEST_F(CodeTest, EnvironmentPointsAtTheRealAddress) {
  setenv("ANTHROPIC_API_KEY", "canary-key-z9", 1);
  EXPECT_EQ(Run({"code"}), 0) << err_.str();
  unsetenv("ANTHROPIC_API_KEY");
  EXPECT_THAT(Environment(), AllOf(Contains("ANTHROPIC_BASE_URL=http://127.0.0.1:3999"),
                                   Contains("ANTHROPIC_AUTH_TOKEN=canary-client-token"),
                                   Contains("DISABLE_TELEMETRY=true"), Not(Contains(HasSubstr("canary-key")))));
}

TEST_F(CodeTest, ExitStatusIsTheChilds) {
  WriteClaude("exit 7\n");
  EXPECT_EQ(Run({"code"}), 7);
  WriteClaude("kill -TERM $$\n");
  EXPECT_EQ(Run({"code"}), 128 + SIGTERM);
}

TEST_F(CodeTest, EndsWhatItStarted) {
  EXPECT_EQ(Run({"code"}), 0) << err_.str();
  EXPECT_FALSE(FindRunning(files()));
  EXPECT_THAT(FileLines(folder_ + "/order"), ElementsAre("proxy", "broker"));
}

TEST_F(CodeTest, LeavesWhatItDidNotStart) {
  ASSERT_EQ(Run({"start"}), 0) << err_.str();
  const pid_t supervisor = FindRunning(files())->pid;
  EXPECT_EQ(Run({"code"}), 0) << err_.str();
  ASSERT_TRUE(FindRunning(files()));
  EXPECT_EQ(FindRunning(files())->pid, supervisor);
}

TEST_F(CodeTest, LastSessionEndsTheService) {
  const pid_t first = Session("first");
  const pid_t second = Session("second");
  EXPECT_EQ(Pids("broker").size(), 1U);
  Finish("first");
  EXPECT_EQ(StatusOf(first), 0);
  EXPECT_TRUE(FindRunning(files()));
  Finish("second");
  EXPECT_EQ(StatusOf(second), 0);
  EXPECT_FALSE(FindRunning(files()));
}

TEST_F(CodeTest, KilledSessionIsNotCounted) {
  const pid_t first = Session("first");
  const pid_t second = Session("second");
  kill(first, SIGKILL);
  EXPECT_EQ(StatusOf(first), -SIGKILL);
  Finish("first");
  Finish("second");
  EXPECT_EQ(StatusOf(second), 0);
  EXPECT_FALSE(FindRunning(files()));
}

TEST_F(CodeTest, ServiceStartedByHandMeanwhileStays) {
  const pid_t session = Session("first");
  EXPECT_EQ(Run({"start"}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("until the last ccr code ends"));
  ASSERT_EQ(Run({"restart"}), 0) << err_.str();
  Finish("first");
  EXPECT_EQ(StatusOf(session), 0);
  EXPECT_TRUE(FindRunning(files()));
}

TEST_F(CodeTest, InterruptIsForTheChildTerminationIsPassedOn) {
  WriteClaude("trap 'exit 9' TERM\ntouch " + folder_ + "/begun\nwhile :; do sleep 0.02; done\n");
  const pid_t session = Fork({});
  ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(folder_ + "/begun"); }));
  kill(session, SIGINT);
  kill(session, SIGQUIT);
  kill(session, SIGTERM);
  EXPECT_EQ(StatusOf(session), 9);
  EXPECT_FALSE(FindRunning(files()));
}

TEST_F(CodeTest, AnyThreadMayTakeASignal) {
  WriteClaude("trap 'exit 9' HUP\nkill -STOP $$\nkill -HUP $PPID\nwhile test -e $0; do sleep 0.02; done\n");
  const pid_t session = fork();
  if (session == 0) {
    int status = 0;
    std::thread([&] { status = Run({"code"}); }).join();  // this thread takes the signals
    _exit(status);
  }
  int status = 0;
  EXPECT_TRUE(Eventually([&] { return waitpid(session, &status, WNOHANG | WUNTRACED) == session; }));
  EXPECT_TRUE(WIFSTOPPED(status)) << status;
  kill(session, SIGCONT);
  EXPECT_EQ(StatusOf(session), 9);
}

TEST_F(CodeTest, StopsAndContinuesTogether) {
  WriteClaude("kill -STOP $$\nexit 5\n");
  const pid_t session = Fork({});
  int status = 0;
  ASSERT_EQ(waitpid(session, &status, WUNTRACED), session);
  EXPECT_TRUE(WIFSTOPPED(status));
  kill(session, SIGCONT);
  EXPECT_EQ(StatusOf(session), 5);
}

TEST_F(CodeTest, FollowsAStopThoughItsStarterBlockedSigchld) {
  WriteClaude("kill -STOP $$\nexit 5\n");
  const pid_t session = fork();
  if (session == 0) {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigprocmask(SIG_BLOCK, &mask, nullptr);
    _exit(Run({"code"}));
  }
  int status = 0;
  EXPECT_TRUE(Eventually([&] { return waitpid(session, &status, WNOHANG | WUNTRACED) == session; }));
  EXPECT_TRUE(WIFSTOPPED(status)) << status;
  kill(session, SIGCONT);
  EXPECT_EQ(StatusOf(session), 5);
}

TEST_F(CodeTest, MissingClaudeStartsNothing) {
  std::filesystem::remove(folder_ + "/claude");
  EXPECT_EQ(Run({"code"}), 127);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr(folder_ + "/claude"), HasSubstr("npm install -g @anthropic-ai/claude-code")));
  EXPECT_TRUE(Pids("broker").empty());
}

TEST_F(CodeTest, FailedStartIsExplained) {
  WriteProxy("echo 'ccr-proxy: address 127.0.0.1:3456 is taken' >&2\nexit 1\n");
  EXPECT_EQ(Run({"code"}), 1);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("3456 is taken"), HasSubstr("Claude Code was not")));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/claude.args"));
  WriteConfig("{");
  EXPECT_EQ(Run({"code"}), 2);
}

TEST_F(CodeTest, ActivatePrintsExportsOnly) {
  EXPECT_EQ(Run({"activate"}), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("export ANTHROPIC_BASE_URL='http://127.0.0.1:3456'\n"),
                                HasSubstr("unset ANTHROPIC_API_KEY\n"), Not(HasSubstr("canary-key"))));
  EXPECT_THAT(err_.str(), HasSubstr("not running"));
  ASSERT_EQ(Run({"start"}), 0) << err_.str();
  out_.str("");
  err_.str("");
  EXPECT_EQ(Run({"env"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("'http://127.0.0.1:3999'"));
  EXPECT_EQ(err_.str(), "");
}

TEST_F(CodeTest, OwnerIsTheOneServiceThatASessionStarted) {
  const absl::StatusOr<SessionLock> lock = SessionLock::Begin(files());
  ASSERT_TRUE(lock.ok()) << lock.status();
  const RunningService service{4711, absl::FromUnixSeconds(1000)};
  EXPECT_FALSE(StartedBySession(files(), service));
  ASSERT_TRUE(lock->Own(service).ok());
  EXPECT_TRUE(StartedBySession(files(), service));
  EXPECT_FALSE(StartedBySession(files(), {4711, absl::FromUnixSeconds(1001)}));
  EXPECT_FALSE(StartedBySession(files(), {0, absl::FromUnixSeconds(1000)}));
}

TEST_F(CodeTest, HealthSaysWhoIsNotWell) {
  EXPECT_EQ(Run({"health", "--proxy", "127.0.0.1:1"}), 1);
  EXPECT_EQ(out_.str(), "unhealthy: proxy 127.0.0.1:1: nobody answers\n");
  out_.str("");
  EXPECT_EQ(Run({"health", "--broker", "unix:" + folder_ + "/none.sock"}), 1);
  EXPECT_THAT(out_.str(), HasSubstr("unhealthy: broker unix:"));
}

}  // namespace
}  // namespace ccr::cli
