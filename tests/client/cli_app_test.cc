#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <csignal>
#include <memory>
#include <thread>

#include "ccr/broker/v1/key_admin.grpc.pb.h"
#include "client/cli/app.h"
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
  for (const char* command : {"start", "stop", "restart", "reload", "status", "rotation", "health", "model", "migrate",
                              "activate", "env", "completion"}) {
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

TEST_F(AppTest, RotationWithoutABrokerSaysHowToStartIt) {
  EXPECT_EQ(Run({"--broker", "unix:" + folder_ + "/nobody.sock", "rotation"}), 1);
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
  EXPECT_THAT(err_.str(), HasSubstr("no provider 'other'"));
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
