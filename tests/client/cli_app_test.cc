#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ccr/broker/v1/key_admin.grpc.pb.h"
#include "client/cli/app.h"
#include "client/cli/claude_env.h"
#include "tests/client/cli_fakes.h"

namespace ccr::cli {
namespace {

namespace v1 = ::ccr::broker::v1;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

class FakeAdmin final : public v1::KeyAdmin::Service {
 public:
  FakeAdmin() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  grpc::Status ListPools(grpc::ServerContext*, const v1::ListPoolsRequest* request,
                         v1::ListPoolsResponse* response) override {
    if (!request->pool().empty() && request->pool() != "demo") {
      return {grpc::StatusCode::NOT_FOUND, "no provider '" + request->pool() + "'"};
    }
    v1::PoolStatus& pool = *response->add_pools();
    pool.set_provider("demo");
    pool.set_total_keys(1);
    v1::KeyStatus& key = *pool.add_keys();
    key.set_name("key-1");
    key.set_state(v1::KEY_STATE_DISABLED);
    key.set_reason("auth");
    return grpc::Status::OK;
  }

  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*, v1::BrokerStatus* status) override {
    status->set_version("9.9");
    status->set_config_path("/etc/other.json");
    if (reload.time().seconds() > 0) *status->mutable_last_reload() = reload;
    return grpc::Status::OK;
  }

  grpc::Status Reload(grpc::ServerContext*, const v1::ReloadRequest*, v1::ReloadVerdict* verdict) override {
    *verdict = reload;
    return grpc::Status::OK;
  }

  v1::ReloadVerdict reload;

  grpc::Status WatchEvents(grpc::ServerContext* context, const v1::WatchEventsRequest*,
                           grpc::ServerWriter<v1::Event>* writer) override {
    v1::Event event;
    event.set_type(v1::Event::DISABLED);
    event.set_pool("demo");
    event.set_key_name("key-1");
    writer->Write(event);
    EXPECT_TRUE(Eventually([&] { return context->IsCancelled(); }));
    return grpc::Status::OK;
  }

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(AppTest, Version) {
  EXPECT_EQ(Run({"-v"}), 0);
  EXPECT_EQ(out_.str(), "ccr " CCR_VERSION "\n");
}

TEST_F(AppTest, HelpNamesEveryCommandAndShowsExamples) {
  EXPECT_EQ(Run({"--help"}), 0);
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("start"), HasSubstr("stop"), HasSubstr("restart"), HasSubstr("status"),
                    HasSubstr("reload"), HasSubstr("rotation"), HasSubstr("Examples:"), Not(HasSubstr("__"))));
  out_.str("");
  EXPECT_EQ(Run({"rotation", "-h"}), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("--watch"), HasSubstr("--wide")));
}

TEST_F(AppTest, UnknownCommandSuggestsTheNearest) {
  EXPECT_EQ(Run({"rotaton"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("unknown command 'rotaton'; did you mean 'ccr rotation'?"));
}

TEST_F(AppTest, BadCommandLines) {
  EXPECT_EQ(Run({}), 2);
  EXPECT_EQ(Run({"--colour"}), 2);
  EXPECT_EQ(Run({"stop", "now"}), 2);
  EXPECT_EQ(Run({"start", "stop"}), 2);
  EXPECT_FALSE(FindRunning(files()));
}

TEST_F(AppTest, EveryCommandHasAnExample) {
  for (const char* command : {"start", "stop", "restart", "reload", "status", "rotation", "simulate", "health", "model",
                              "migrate", "activate", "env", "completion", "key", "pool", "events"}) {
    out_.str("");
    EXPECT_EQ(Run({command, "-h"}), 0);
    EXPECT_THAT(out_.str(), HasSubstr(std::string("Examples:\n  "))) << command;
  }
  out_.str("");
  EXPECT_EQ(Run({"-h", "code"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("ccr code -p"));
}

TEST_F(AppTest, UnknownCommandUnderACommand) {
  EXPECT_EQ(Run({"config", "chek"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("unknown command 'config chek'; did you mean 'ccr config check'?"));
  EXPECT_EQ(Run({"config"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("ccr config needs a command"));
}

// What the file of a fake broker came to.
v1::ReloadVerdict Verdict(bool accepted) {
  v1::ReloadVerdict verdict;
  verdict.set_accepted(accepted);
  verdict.mutable_time()->set_seconds(1);
  if (accepted) {
    verdict.add_changes("provider 'demo': key 'b' added");
    verdict.add_needs_restart("PORT");
    return verdict;
  }
  v1::ConfigProblem& problem = *verdict.add_problems();
  problem.set_severity(v1::ConfigProblem::ERROR);
  problem.set_file("/etc/other.json");
  problem.set_line(7);
  problem.set_message("environment variable NEWKEY is not set");
  return verdict;
}

TEST_F(AppTest, ReloadTellsTheVerdict) {
  FakeAdmin admin;
  admin.reload = Verdict(true);
  EXPECT_EQ(Run({"--broker", admin.address(), "reload"}), 0) << err_.str();
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("provider 'demo': key 'b' added"), HasSubstr("after ccr restart: PORT")));
  admin.reload = Verdict(false);
  EXPECT_EQ(Run({"--broker", admin.address(), "reload"}), 2);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("/etc/other.json:7: error: environment variable NEWKEY is not set\n"),
                                HasSubstr("old configuration")));
  out_.str("");
  EXPECT_EQ(Run({"--broker", admin.address(), "--json", "reload"}), 2);
  const boost::json::value json = boost::json::parse(out_.str());
  EXPECT_EQ(json.at("accepted"), false);
  EXPECT_EQ(json.at("problems").at(0).at("line"), 7);
}

TEST_F(AppTest, ARefusedFileIsTold) {
  FakeAdmin admin;
  admin.reload = Verdict(false);
  EXPECT_EQ(Run({"--broker", admin.address(), "status"}), 0) << err_.str();
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("version 9.9"), HasSubstr("/etc/other.json"), HasSubstr("demo 0/1"),
                                HasSubstr("was refused"), HasSubstr("NEWKEY is not set")));
  out_.str("");
  EXPECT_EQ(Run({"--broker", admin.address(), "--json", "status"}), 0) << err_.str();
  EXPECT_EQ(boost::json::parse(out_.str()).at("reload").at("accepted"), false);
}

TEST_F(AppTest, WhenNothingRunsTheExitStatusIsThree) {
  const std::string nobody = "unix:" + folder_ + "/nobody.sock";
  for (const char* command : {"rotation", "status", "reload"}) {
    out_.str("");
    err_.str("");
    EXPECT_EQ(Run({"--broker", nobody, command, "--json"}), 3) << command;
    EXPECT_EQ(err_.str(), "") << command;
    const boost::json::value json = boost::json::parse(out_.str());
    EXPECT_EQ(json.at("running"), false);
    EXPECT_EQ(json.at("error").at("kind"), "not_running");
    EXPECT_THAT(std::string(json.at("error").at("message").as_string()), HasSubstr("no broker answers")) << command;
  }
}

TEST_F(AppTest, EveryAnswerAndEveryErrorIsOneJsonObject) {
  FakeAdmin admin;
  admin.reload = Verdict(true);
  const std::vector<std::vector<std::string>> commands = {
      {"start"}, {"start"},  {"restart"},  {"status"},  {"model"},           {"model", "think", "demo,m"}, {"stop"},
      {"stop"},  {"reload"}, {"activate"}, {"rotaton"}, {"model", "thinkk"}, {"config", "check"}};
  for (std::vector<std::string> command : commands) {
    command.insert(command.begin(), "--json");
    out_.str("");
    const int exit_status = Run(command);
    boost::json::error_code error;
    const boost::json::value json = boost::json::parse(out_.str(), error);
    ASSERT_FALSE(error) << command[1] << ": " << out_.str();
    EXPECT_EQ(json.as_object().contains("error"), exit_status != 0) << out_.str();
  }
}

TEST_F(AppTest, AStartThatFailsSaysWhetherTheServiceRuns) {
  const auto running = [this](const char* command) {
    out_.str("");
    EXPECT_NE(Run({"--json", command}), 0) << command;
    return boost::json::parse(out_.str()).at("running").as_bool();
  };
  ASSERT_EQ(Run({"start"}), 0) << err_.str();
  EXPECT_TRUE(running("start"));
  Configure("PORT: 'none'");
  EXPECT_TRUE(running("start"));
  EXPECT_TRUE(running("restart"));
  EXPECT_EQ(Run({"stop"}), 0) << err_.str();
  EXPECT_FALSE(running("start"));
  EXPECT_FALSE(running("restart"));
}

TEST_F(AppTest, ABadPathIsAMessage) {
  for (const char* command : {"status", "start", "rotation", "model", "stop", "reload", "health", "activate"}) {
    err_.str("");
    EXPECT_EQ(Run({"--config", "", command}), 2);
    EXPECT_THAT(err_.str(), HasSubstr("--config")) << command;
  }
}

TEST_F(AppTest, HelpIsACommandToo) {
  EXPECT_EQ(Run({"help"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("rotation"));
  out_.str("");
  EXPECT_EQ(Run({"help", "rotation"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("--wide"));
}

TEST_F(AppTest, ActivateSpeaksFish) {
  EXPECT_EQ(Run({"activate", "fish"}), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("set -gx ANTHROPIC_AUTH_TOKEN 'canary-client-token';\n"),
                                HasSubstr("set -e ANTHROPIC_API_KEY;\n"), Not(HasSubstr("export"))));
  EXPECT_EQ(FishExports({{"A", "it's \\"}}), "set -gx A 'it\\'s \\\\';\n");
}

TEST_F(AppTest, AnAddressThatIsNoneIsExplained) {
  EXPECT_EQ(Run({"--broker", "foo", "rotation"}), 2);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("foo"), HasSubstr("port")));
}

TEST_F(AppTest, RotationWithoutABrokerSaysHowToStartIt) {
  EXPECT_EQ(Run({"--broker", "unix:" + folder_ + "/nobody.sock", "rotation"}), 3);
  EXPECT_EQ(err_.str(), "ccr: no broker answers at unix:" + folder_ + "/nobody.sock; start it with: ccr start\n");
}

TEST_F(AppTest, RotationAsTableAndJson) {
  FakeAdmin admin;
  EXPECT_EQ(Run({"--broker", admin.address(), "rotation"}), 0) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("  key-1  disabled  auth "));
  out_.str("");
  EXPECT_EQ(Run({"rotation", "demo", "--json", "--broker", admin.address()}), 0) << err_.str();
  const boost::json::value json = boost::json::parse(out_.str());
  EXPECT_EQ(json.at("pools").at(0).at("keys").at(0).at("state"), "disabled");
}

TEST_F(AppTest, UnknownProviderIsTheBrokersWord) {
  FakeAdmin admin;
  EXPECT_EQ(Run({"--broker", admin.address(), "rotation", "other"}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("no provider 'other'; there is demo"));
  EXPECT_EQ(Run({"--broker", admin.address(), "rotation", "dmeo"}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("did you mean demo?"));
}

TEST_F(AppTest, StatusSummarisesThePools) {
  Configure("Broker: {listen: '127.0.0.1:0'}");
  FakeAdmin admin;
  WriteBroker(Serving("broker", "ccr-broker ready: grpc=" + admin.address() + " metrics=127.0.0.1:1"));
  ASSERT_EQ(Run({"start"}), 0) << err_.str();
  out_.str("");
  EXPECT_EQ(Run({"status"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("demo 0/1 keys available"));
  out_.str("");
  EXPECT_EQ(Run({"--json", "status"}), 0);
  const boost::json::value json = boost::json::parse(out_.str());
  EXPECT_EQ(json.at("running"), true);
  EXPECT_EQ(json.at("broker").as_string(), admin.address());
  EXPECT_EQ(json.at("pools").at(0).at("total_keys"), 1);
}

TEST_F(AppTest, WatchIntoAPipePrintsALinePerEventUntilInterrupted) {
  FakeAdmin admin;
  const std::string path = folder_ + "/events";
  int status = -1;
  std::thread watcher([&] {
    std::ofstream events(path);
    status = Run({"--broker", admin.address(), "rotation", "--watch"}, {events, err_});
  });
  EXPECT_TRUE(Eventually([&] { return !FileLines(path).empty(); }));
  pthread_kill(watcher.native_handle(), SIGINT);
  watcher.join();
  EXPECT_EQ(status, 0);
  EXPECT_THAT(ReadFile(path), HasSubstr(" demo key-1 disabled\n"));
}

TEST_F(AppTest, WatchOnATerminalDrawsTheTable) {
  FakeAdmin admin;
  const std::string path = folder_ + "/screen";
  int status = -1;
  std::thread watcher([&] {
    std::ofstream screen(path);
    status = Run({"--broker", admin.address(), "rotation", "--watch"}, {screen, err_, 100, 24, false});
  });
  EXPECT_TRUE(Eventually([&] { return ReadFile(path).find("key-1  disabled") != std::string::npos; }));
  pthread_kill(watcher.native_handle(), SIGINT);
  watcher.join();
  EXPECT_EQ(status, 0);
  EXPECT_THAT(ReadFile(path), EndsWith("\x1b[?25h"));
}

}  // namespace
}  // namespace ccr::cli
