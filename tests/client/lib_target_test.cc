#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/time/clock.h"
#include "ccr/broker/v1/key_broker.grpc.pb.h"
#include "client/lib/broker_channel.h"
#include "client/lib/broker_token.h"
#include "client/lib/key_broker_client.h"

namespace ccr::client {
namespace {

using ::testing::HasSubstr;

// Answers each lease with the token that came with it.
class EchoToken final : public v1::KeyBroker::Service {
  grpc::Status Lease(grpc::ServerContext* context, const v1::LeaseRequest*, v1::LeaseResponse* response) override {
    for (const auto& [name, value] : context->client_metadata()) {
      if (name == "authorization") response->set_pool(std::string(value.data(), value.size()));
    }
    return grpc::Status::OK;
  }
};

class BrokerTargetTest : public ::testing::Test {
 protected:
  BrokerTargetTest() {
    std::string pattern = ::testing::TempDir() + "ccr target-XXXXXX";  // with a space
    folder_ = mkdtemp(pattern.data());
    file_ = folder_ + "/token";
  }
  ~BrokerTargetTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& text) const { std::ofstream(file_) << text; }

  std::string folder_, file_;
};

TEST_F(BrokerTargetTest, TheTokenFileIsReadWithEachCall) {
  EchoToken broker;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + folder_ + "/100%.sock", grpc::InsecureServerCredentials());
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&broker);
  const auto server = builder.BuildAndStart();
  KeyBrokerClient client(MakeBrokerChannel({"127.0.0.1:" + std::to_string(port), {}, file_}));
  const auto shown = [&client] { return client.Lease({}, absl::Now() + absl::Minutes(1))->pool(); };
  EXPECT_EQ(shown(), "");
  Write("canary-token-1\n");
  EXPECT_EQ(shown(), "Bearer canary-token-1");
  Write("canary-token-2");
  EXPECT_EQ(shown(), "Bearer canary-token-2");
}

TEST_F(BrokerTargetTest, WhatIsWrongWithItIsSaid) {
  const std::string good = "127.0.0.1:50061";
  EXPECT_TRUE(CheckBrokerTarget({good}).ok());
  EXPECT_TRUE(CheckBrokerTarget({"unix:" + folder_ + "/broker.sock"}).ok());
  EXPECT_EQ(CheckBrokerTarget({"foo"}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(CheckBrokerTarget({good, {}, file_}).message()), HasSubstr(file_ + " does not exist"));
  for (const char* text : {"", "\n", "two words", "two\nlines"}) {
    Write(text);
    EXPECT_THAT(std::string(CheckBrokerTarget({good, {}, file_}).message()), HasSubstr("a token in one line"));
  }
  Write("canary-token-1\r\n");
  EXPECT_TRUE(CheckBrokerTarget({good, {}, file_}).ok());
  chmod(folder_.c_str(), 0777);
  EXPECT_EQ(CheckBrokerTarget({"unix:" + folder_ + "/broker.sock"}).code(), absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace ccr::client
