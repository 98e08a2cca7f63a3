// The unary clients and the two watches against a scripted server.
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "broker/base/mutex.h"
#include "client/lib/admin_client.h"
#include "client/lib/broker_channel.h"
#include "client/lib/broker_status.h"
#include "client/lib/key_broker_client.h"
#include "client/lib/routing_watch.h"
#include "google/rpc/error_details.pb.h"

namespace ccr::client {
namespace {

class Broker final : public v1::KeyBroker::Service {
 public:
  std::vector<v1::ReportRequest> reports() {
    MutexLock lock(mutex_);
    return reports_;
  }

 private:
  grpc::Status Lease(grpc::ServerContext*, const v1::LeaseRequest* request, v1::LeaseResponse* response) override {
    response->set_lease_id("l1");
    response->mutable_credential()->set_secret("canary-key-a1");
    if (request->pool() == "good") return grpc::Status::OK;
    google::rpc::RetryInfo info;
    info.mutable_retry_delay()->set_seconds(3);
    google::rpc::Status details;
    details.add_details()->PackFrom(info);
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "no key", details.SerializeAsString());
  }

  grpc::Status Report(grpc::ServerContext*, const v1::ReportRequest* request, v1::ReportResponse* response) override {
    MutexLock lock(mutex_);
    reports_.push_back(*request);
    response->set_disposition(v1::ReportResponse::APPLIED);
    return grpc::Status::OK;
  }

  grpc::Status Renew(grpc::ServerContext*, const v1::RenewRequest*, v1::RenewResponse*) override {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "the lease has ended");
  }

  // Two tables to a stream, then it breaks.
  grpc::Status WatchRouting(grpc::ServerContext*, const v1::WatchRoutingRequest*,
                            grpc::ServerWriter<v1::RoutingTable>* writer) override {
    for (int i = 0; i < 2; ++i) {
      v1::RoutingTable table;
      table.set_version(++version_);
      writer->Write(table);
    }
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "going away");
  }

  Mutex mutex_;
  std::vector<v1::ReportRequest> reports_ CCR_GUARDED_BY(mutex_);
  std::atomic<uint64_t> version_{0};
};

class Admin final : public v1::KeyAdmin::Service {
  grpc::Status ListPools(grpc::ServerContext*, const v1::ListPoolsRequest* request,
                         v1::ListPoolsResponse* response) override {
    response->add_pools()->set_provider(request->pool());
    return grpc::Status::OK;
  }

  grpc::Status WatchEvents(grpc::ServerContext*, const v1::WatchEventsRequest* request,
                           grpc::ServerWriter<v1::Event>* writer) override {
    v1::Event event;
    event.set_pool(request->pool());
    for (int i = 0; i < 3; ++i) writer->Write(event);
    return grpc::Status::OK;
  }
};

class CallsTest : public ::testing::Test {
 protected:
  CallsTest() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&broker_);
    builder.RegisterService(&admin_);
    server_ = builder.BuildAndStart();
    channel_ = MakeBrokerChannel({"127.0.0.1:" + std::to_string(port)});
  }

  static absl::Time Soon() { return absl::Now() + absl::Minutes(1); }

  Broker broker_;
  Admin admin_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(CallsTest, ErrorsSayWhenToTryAgain) {
  KeyBrokerClient client(channel_);
  v1::LeaseRequest request;
  request.set_pool("empty");
  const auto lease = client.Lease(request, Soon());
  EXPECT_EQ(lease.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RetryAfter(lease.status()), absl::Seconds(3));
  const auto renewed = client.Renew({}, Soon());
  EXPECT_EQ(renewed.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(RetryAfter(renewed.status()), std::nullopt);
}

TEST_F(CallsTest, GuardReportsThroughTheClient) {
  KeyBrokerClient client(channel_);
  v1::LeaseRequest request;
  request.set_pool("good");
  {
    auto guard = client.Acquire(request, Soon());
    ASSERT_TRUE(guard.ok()) << guard.status();
    EXPECT_EQ(guard->secret().Reveal(), "canary-key-a1");
    guard->Success();
  }
  ASSERT_EQ(broker_.reports().size(), 1u);
  EXPECT_TRUE(broker_.reports()[0].evidence().success());
}

TEST_F(CallsTest, DeadlineEndsACallWithoutABroker) {
  KeyBrokerClient client(MakeBrokerChannel({"unix:/nonexistent/broker"}));
  const auto lease = client.Lease({}, absl::Now() + absl::Milliseconds(50));
  EXPECT_TRUE(absl::IsUnavailable(lease.status()) || absl::IsDeadlineExceeded(lease.status())) << lease.status();
}

TEST_F(CallsTest, RoutingWatchFollowsAcrossStreams) {
  Mutex mutex;
  CondVar changed;
  std::vector<uint64_t> versions;
  RoutingWatch watch(channel_, "test", [&](v1::RoutingTable table) {
    MutexLock lock(mutex);
    versions.push_back(table.version());
    changed.notify_all();
  });
  MutexLock lock(mutex);
  const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (versions.size() < 4 && changed.wait_until(mutex, until) != std::cv_status::timeout) {
  }
  ASSERT_GE(versions.size(), 4u);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(versions[i], i + 1);
}

TEST_F(CallsTest, RoutingWatchEndsWithoutABroker) {
  RoutingWatch watch(MakeBrokerChannel({"unix:/nonexistent/broker"}), "test", [](const v1::RoutingTable&) { FAIL(); });
}

TEST_F(CallsTest, AdminListsAndWatches) {
  AdminClient client(channel_);
  const auto pools = client.ListPools("p", Soon());
  ASSERT_TRUE(pools.ok()) << pools.status();
  EXPECT_EQ(pools->pools(0).provider(), "p");

  v1::WatchEventsRequest request;
  request.set_pool("p");
  int seen = 0;
  EXPECT_TRUE(
      client.WatchEvents(request, Soon(), [&](const v1::Event& e) { return e.pool() == "p" && ++seen < 2; }).ok());
  EXPECT_EQ(seen, 2);
  const absl::Status ended = client.WatchEvents(request, Soon(), [&](const v1::Event&) { return ++seen > 0; });
  EXPECT_TRUE(absl::IsUnavailable(ended)) << ended;
  EXPECT_EQ(seen, 5);
}

}  // namespace
}  // namespace ccr::client
