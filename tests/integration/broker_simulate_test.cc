// Simulate over the wire.
#include "tests/integration/broker_fixture.h"

namespace ccr {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class BrokerSimulateTest : public ::testing::Test {
 protected:
  BrokerSimulateTest() : broker_(&store_, Configuration(Provider("p", {"a", "b"}), Provider("q", {"x"}))) {}

  std::pair<grpc::Status, v1::SimulateResponse> Simulate(const v1::SimulateRequest& request) {
    grpc::ClientContext context;
    v1::SimulateResponse response;
    const grpc::Status status = broker_.admin().Simulate(&context, request, &response);
    return {status, response};
  }

  void Serve(int requests) {
    for (int i = 0; i < requests; ++i) broker_.Report(ReportOf(broker_.LeaseOk("p").lease_id(), 200));
  }

  static v1::SimulateRequest With(const std::string& provider) {
    v1::SimulateRequest request;
    v1::PoolSettings* const pool = request.add_pools();
    pool->set_provider(provider);
    pool->set_strategy("fill_first");
    for (const char* name : {"name-of-b", "name-of-new"}) {
      v1::KeySettings* const key = pool->add_keys();
      key->set_name(name);
      key->set_weight(1);
      key->set_max_failures(3);
    }
    return request;
  }

  MemoryStore store_;
  RunningBroker broker_;
};

TEST_F(BrokerSimulateTest, TellsWhatWasAndWhatWouldBe) {
  Serve(10);
  v1::SimulateRequest request;
  request.set_strategy("fill_first");
  const auto [status, response] = Simulate(request);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.pools_size(), 1);
  const v1::PoolSimulation& pool = response.pools(0);
  EXPECT_EQ(pool.provider(), "p");
  EXPECT_TRUE(pool.has_from() && pool.has_until());
  EXPECT_EQ(pool.recorded().requests(), 10u);
  EXPECT_EQ(pool.recorded().strategy(), "round_robin");
  EXPECT_EQ(pool.configured().served(), 10u);
  EXPECT_EQ(pool.configured().keys(0).attempts(), 5u);
  EXPECT_EQ(pool.proposed().strategy(), "fill_first");
  EXPECT_EQ(pool.proposed().keys(0).name(), "name-of-a");
  EXPECT_EQ(pool.proposed().keys(0).attempts(), 10u);
  EXPECT_THAT(response.ShortDebugString(), Not(HasSubstr("canary")));
  EXPECT_EQ(broker_.service().GetPool("p")->snapshot.acquired, 10u) << "it changes nothing";
}

TEST_F(BrokerSimulateTest, TakesOtherSettings) {
  Serve(6);
  const auto [status, response] = Simulate(With("P"));
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.pools_size(), 1);
  const v1::SimulatedRun& run = response.pools(0).proposed();
  EXPECT_EQ(run.served(), 6u);
  ASSERT_EQ(run.keys_size(), 2);
  EXPECT_EQ(run.keys(0).name(), "name-of-b");
  EXPECT_EQ(run.keys(0).attempts(), 6u);
  EXPECT_EQ(run.keys(1).name(), "name-of-new");
}

TEST_F(BrokerSimulateTest, RefusesWhatMakesNoSense) {
  EXPECT_EQ(Simulate({}).first.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  Serve(1);
  v1::SimulateRequest request;
  request.set_pool("none");
  EXPECT_EQ(Simulate(request).first.error_code(), grpc::StatusCode::NOT_FOUND);
  request.set_pool("q");
  EXPECT_THAT(Simulate(request).first.error_message(), HasSubstr("nothing is recorded of q yet"));
  request.clear_pool();
  request.set_strategy("fastest");
  EXPECT_EQ(Simulate(request).first.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Simulate(With("other")).first.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request = With("p");
  request.mutable_pools(0)->mutable_keys(1)->set_weight(-1);
  EXPECT_THAT(Simulate(request).first.error_message(), HasSubstr("pools[0].keys[1].weight"));
  request = With("p");
  request.mutable_pools(0)->clear_keys();
  EXPECT_THAT(Simulate(request).first.error_message(), HasSubstr("pools[0].keys"));
  request = With("p");
  request.mutable_pools(0)->set_strategy("slowest");
  EXPECT_EQ(Simulate(request).first.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace ccr
