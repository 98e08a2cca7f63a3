#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <limits>
#include <tuple>

#include "tests/integration/broker_fixture.h"

namespace ccr {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::SizeIs;

class BrokerUnaryTest : public ::testing::Test {
 protected:
  BrokerUnaryTest() {
    ProviderConfig queued = Provider("queued", {"q"});
    queued.max_concurrent = 1;
    queued.queue.max_wait = absl::Seconds(20);
    broker_ =
        std::make_unique<RunningBroker>(&store_, Configuration(Provider("p", {"a", "b", "c"}), std::move(queued)));
  }

  google::rpc::BadRequest BadRequestOf(const grpc::Status& status) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
    return FindDetail<google::rpc::BadRequest>(status).value_or(google::rpc::BadRequest());
  }
  std::string BadField(const v1::LeaseRequest& request) {
    return BadRequestOf(broker_->Lease(request).first).field_violations(0).field();
  }
  std::string BadField(const v1::ReportRequest& request) {
    return BadRequestOf(broker_->Report(request).first).field_violations(0).field();
  }

  bool Progress(const std::string& lease_id, uint32_t status) {
    grpc::ClientContext context;
    v1::ProgressRequest request;
    v1::ProgressResponse response;
    request.set_lease_id(lease_id);
    request.set_http_status(status);
    EXPECT_TRUE(broker_->broker().Progress(&context, request, &response).ok());
    return response.applied();
  }

  MemoryStore store_;
  std::unique_ptr<RunningBroker> broker_;
};

TEST_F(BrokerUnaryTest, LeaseSaysAllThatARequestNeeds) {
  const v1::LeaseResponse lease = broker_->LeaseOk("P");
  EXPECT_THAT(lease.lease_id(), MatchesRegex("[0-9a-f]+"));
  EXPECT_THAT(lease.lease_id(), SizeIs(48));
  EXPECT_EQ(lease.pool(), "p");
  EXPECT_EQ(lease.key_name(), "name-of-a");
  EXPECT_THAT(lease.key_fingerprint(), AllOf(SizeIs(16), Not(HasSubstr("canary"))));
  EXPECT_EQ(lease.credential().header(), "x-api-key");
  EXPECT_EQ(lease.credential().prefix(), "");
  EXPECT_EQ(lease.credential().secret(), "canary-key-a");
  EXPECT_EQ(lease.base_url(), "http://127.0.0.1:9/p");
  EXPECT_EQ(lease.ttl_ms(), 600000u);
  EXPECT_FALSE(lease.trial());
}

TEST_F(BrokerUnaryTest, ReportEndsTheLeaseOnceAndSaysWhatWasDecided) {
  const v1::LeaseResponse lease = broker_->LeaseOk("p");
  auto [status, report] = broker_->Report(ReportOf(lease.lease_id(), 401));
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(report.disposition(), v1::ReportResponse::APPLIED);
  EXPECT_EQ(report.outcome(), v1::OUTCOME_AUTH);
  EXPECT_EQ(report.advice(), v1::ReportResponse::ROTATE);
  EXPECT_EQ(broker_->Report(ReportOf(lease.lease_id(), 401)).second.disposition(), v1::ReportResponse::DUPLICATE);
  const v1::PoolStatus pool = broker_->Pool("p");
  EXPECT_EQ(pool.keys(0).state(), v1::KEY_STATE_COOLING);
  EXPECT_EQ(pool.keys(0).reason(), "auth_suspected");
  EXPECT_EQ(pool.keys(0).last_error(), "HTTP 401");
  EXPECT_EQ(pool.available_keys(), 2u);
  EXPECT_EQ(pool.acquired(), 1u);
  EXPECT_EQ(pool.reported(), 1u);
}

TEST_F(BrokerUnaryTest, ALeaseThatNamesTheOneBeforeShowsWhoseFaultItWas) {
  const v1::LeaseResponse refused = broker_->LeaseOk("p");
  broker_->Report(ReportOf(refused.lease_id(), 401));
  v1::LeaseRequest request;
  request.set_pool("p");
  request.add_exclude(refused.key_fingerprint());
  request.set_retry_of(refused.lease_id());
  broker_->Report(ReportOf(broker_->Lease(request).second.lease_id(), 200));
  EXPECT_EQ(broker_->Pool("p").keys(0).state(), v1::KEY_STATE_DISABLED);
  EXPECT_EQ(broker_->Pool("p").keys(0).reason(), "auth");
  request.set_retry_of("bad");
  EXPECT_EQ(broker_->Lease(request).first.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(BrokerUnaryTest, OnAForeignPathAnotherKeysSuccessDisablesNobody) {
  v1::ReportRequest report = ReportOf(broker_->LeaseOk("p").lease_id(), 401);
  report.mutable_evidence()->set_foreign_path(true);
  report.mutable_next()->set_pool("p");
  broker_->Report(ReportOf(broker_->Report(report).second.next().lease_id(), 200));
  EXPECT_EQ(broker_->Pool("p").keys(0).state(), v1::KEY_STATE_ACTIVE);
}

TEST_F(BrokerUnaryTest, ACallersFaultChangesNoKey) {
  const v1::LeaseResponse lease = broker_->LeaseOk("p");
  EXPECT_EQ(broker_->Report(ReportOf(lease.lease_id(), 400)).second.outcome(), v1::OUTCOME_CALLER_FAULT);
  EXPECT_EQ(broker_->Pool("p").keys(0).state(), v1::KEY_STATE_ACTIVE);
  EXPECT_EQ(broker_->Pool("p").keys(0).failures(), 0u);
}

TEST_F(BrokerUnaryTest, ReportGivesTheNextLeaseInTheSameRoundTrip) {
  v1::ReportRequest request = ReportOf(broker_->LeaseOk("p").lease_id(), 429);
  request.mutable_next()->set_pool("p");
  EXPECT_EQ(broker_->Report(request).second.next().key_name(), "name-of-b");
  request = ReportOf(broker_->LeaseOk("p").lease_id(), 200);
  request.mutable_next()->set_pool("p");
  EXPECT_FALSE(broker_->Report(request).second.has_next());
}

TEST_F(BrokerUnaryTest, ASessionStaysWithItsKey) {
  v1::LeaseRequest request;
  request.set_pool("p");
  request.set_session("a session");
  const v1::LeaseResponse first = broker_->Lease(request).second;
  broker_->Report(ReportOf(first.lease_id(), 200));
  v1::ReportRequest failed = ReportOf(broker_->Lease(request).second.lease_id(), 429);
  *failed.mutable_next() = request;
  const v1::LeaseResponse next = broker_->Report(failed).second.next();
  EXPECT_NE(next.key_name(), first.key_name());
  broker_->Report(ReportOf(next.lease_id(), 200));
  for (int i = 0; i < 3; ++i) {
    const v1::LeaseResponse later = broker_->Lease(request).second;
    EXPECT_EQ(later.key_name(), next.key_name());
    broker_->Report(ReportOf(later.lease_id(), 200));
  }
}

TEST_F(BrokerUnaryTest, ProgressServesOthersBeforeTheReport) {
  for (int i = 0; i < 3; ++i) broker_->Report(ReportOf(broker_->LeaseOk("p").lease_id(), 529));
  ASSERT_TRUE(Eventually([&] { return broker_->Pool("p").circuit().state() == v1::CircuitStatus::HALF_OPEN; }));
  const v1::LeaseResponse trial = broker_->LeaseOk("p");
  EXPECT_TRUE(trial.trial());
  v1::LeaseRequest other;
  other.set_pool("p");
  EXPECT_EQ(broker_->Lease(other).first.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_FALSE(Progress(trial.lease_id(), 529));
  EXPECT_FALSE(Progress(trial.lease_id(), std::numeric_limits<uint32_t>::max()));
  EXPECT_FALSE(Progress(std::string(48, '0'), 200));
  EXPECT_TRUE(Progress(trial.lease_id(), 200));
  EXPECT_FALSE(Progress(trial.lease_id(), 200));
  EXPECT_EQ(broker_->Pool("p").circuit().state(), v1::CircuitStatus::CLOSED);
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(broker_->LeaseOk("p").trial());
  EXPECT_EQ(broker_->Report(ReportOf(trial.lease_id(), 200)).second.disposition(), v1::ReportResponse::APPLIED);
  uint64_t successes = 0;
  const v1::PoolStatus pool = broker_->Pool("p");
  for (const v1::KeyStatus& key : pool.keys()) successes += key.successes();
  EXPECT_EQ(successes, 1u);
}

TEST_F(BrokerUnaryTest, RenewExtendsUntilTheLeaseHasEnded) {
  v1::RenewRequest request;
  request.set_lease_id(broker_->LeaseOk("p").lease_id());
  v1::RenewResponse response;
  grpc::ClientContext first;
  ASSERT_TRUE(broker_->broker().Renew(&first, request, &response).ok());
  EXPECT_EQ(response.ttl_ms(), 600000u);
  broker_->Report(ReportOf(request.lease_id(), 200));
  grpc::ClientContext second;
  EXPECT_EQ(broker_->broker().Renew(&second, request, &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(BrokerUnaryTest, UnknownPoolIsNotFound) {
  v1::LeaseRequest request;
  request.set_pool("nope");
  EXPECT_EQ(broker_->Lease(request).first.error_code(), grpc::StatusCode::NOT_FOUND);
  grpc::ClientContext context;
  v1::ListPoolsRequest list;
  list.set_pool("nope");
  v1::ListPoolsResponse pools;
  EXPECT_EQ(broker_->admin().ListPools(&context, list, &pools).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(BrokerUnaryTest, BadArgumentsNameTheirField) {
  v1::LeaseRequest lease;
  EXPECT_EQ(BadField(lease), "pool");
  lease.set_pool("p");
  lease.set_session(std::string(256, 's'));
  EXPECT_TRUE(broker_->Lease(lease).first.ok());
  lease.set_session(std::string(257, 's'));
  EXPECT_EQ(BadField(lease), "session");
  lease.clear_session();
  for (int i = 0; i < 65; ++i) lease.add_exclude("f");
  EXPECT_EQ(BadField(lease), "exclude");

  EXPECT_EQ(BadField(ReportOf("", 200)), "lease_id");
  grpc::ClientContext context;
  v1::ProgressResponse response;
  EXPECT_EQ(BadRequestOf(broker_->broker().Progress(&context, {}, &response)).field_violations(0).field(), "lease_id");
  const std::string id = broker_->LeaseOk("p").lease_id();
  EXPECT_EQ(BadField(ReportOf("Z" + id.substr(1), 200)), "lease_id");
  v1::ReportRequest report = ReportOf(id, 400);
  report.mutable_evidence()->set_error_type(std::string(129, 'e'));
  EXPECT_EQ(BadField(report), "evidence.error_type");
  report.mutable_evidence()->set_error_type(std::string(128, 'e'));
  report.mutable_next();
  EXPECT_EQ(BadField(report), "next.pool");
}

TEST_F(BrokerUnaryTest, NothingAvailableSaysWhenToRetry) {
  for (int i = 0; i < 3; ++i) {
    v1::ReportRequest report = ReportOf(broker_->LeaseOk("p").lease_id(), 429);
    report.mutable_evidence()->set_retry_after_ms(i == 1 ? 30000 : 60000);
    broker_->Report(report);
  }
  v1::LeaseRequest request;
  request.set_pool("p");
  const grpc::Status status = broker_->Lease(request).first;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), Not(HasSubstr("canary")));
  const auto retry = FindDetail<google::rpc::RetryInfo>(status);
  ASSERT_TRUE(retry.has_value());
  EXPECT_GT(retry->retry_delay().seconds(), 15);
  EXPECT_LE(retry->retry_delay().seconds(), 30);
  EXPECT_EQ(retry->retry_delay().nanos() % 1000000, 0);
  EXPECT_EQ(FindDetail<google::rpc::ErrorInfo>(status)->reason(), "NONE_AVAILABLE");
}

TEST_F(BrokerUnaryTest, AllDisabledIsFailedPrecondition) {
  v1::ReportRequest report = ReportOf(broker_->LeaseOk("p").lease_id(), 401);
  report.mutable_next()->set_pool("p");
  v1::LeaseResponse next = broker_->Report(report).second.next();
  report.mutable_next()->add_exclude(next.key_fingerprint());
  report.set_lease_id(next.lease_id());
  next = broker_->Report(report).second.next();
  broker_->Report(ReportOf(next.lease_id(), 200));
  ASSERT_TRUE(broker_->service().Apply(Configuration(Provider("p", {"a", "b"}))).ok());
  v1::LeaseRequest request;
  request.set_pool("p");
  EXPECT_EQ(broker_->Lease(request).first.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(BrokerUnaryTest, ShuttingDownIsUnavailable) {
  broker_->service().BeginDrain();
  v1::LeaseRequest request;
  request.set_pool("p");
  EXPECT_EQ(broker_->Lease(request).first.error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(BrokerUnaryTest, AWaitingLeaseIsAnsweredWhenTheKeyReturns) {
  const v1::LeaseResponse held = broker_->LeaseOk("queued");
  v1::LeaseRequest request;
  request.set_pool("queued");
  request.set_max_wait_ms(20000);
  grpc::Status status;
  v1::LeaseResponse granted;
  std::thread waiter([&] { std::tie(status, granted) = broker_->Lease(request); });
  EXPECT_TRUE(Eventually([&] { return broker_->Pool("queued").waiting() == 1; }));
  broker_->Report(ReportOf(held.lease_id(), 200));
  waiter.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(granted.key_name(), "name-of-q");
}

TEST_F(BrokerUnaryTest, AWaitingClientThatGoesGivesUpItsPlace) {
  const v1::LeaseResponse held = broker_->LeaseOk("queued");
  grpc::ClientContext context;
  v1::LeaseRequest request;
  request.set_pool("queued");
  request.set_max_wait_ms(20000);
  std::thread waiter([&] {
    v1::LeaseResponse response;
    EXPECT_EQ(broker_->broker().Lease(&context, request, &response).error_code(), grpc::StatusCode::CANCELLED);
  });
  EXPECT_TRUE(Eventually([&] { return broker_->Pool("queued").waiting() == 1; }));
  context.TryCancel();
  waiter.join();
  EXPECT_TRUE(Eventually([&] { return broker_->Pool("queued").waiting() == 0; }));
  broker_->Report(ReportOf(held.lease_id(), 200));
  EXPECT_EQ(broker_->Pool("queued").in_flight(), 0u);
}

TEST_F(BrokerUnaryTest, StateSurvivesARestartOverTheSameStore) {
  v1::ReportRequest report = ReportOf(broker_->LeaseOk("p").lease_id(), 429);
  report.mutable_evidence()->set_retry_after_ms(60000);
  broker_->Report(report);
  report = ReportOf(broker_->LeaseOk("p").lease_id(), 401);
  report.mutable_next()->set_pool("p");
  broker_->Report(ReportOf(broker_->Report(report).second.next().lease_id(), 200));
  broker_.reset();
  broker_ = std::make_unique<RunningBroker>(&store_, Configuration(Provider("p", {"a", "b", "c"})));
  const v1::PoolStatus pool = broker_->Pool("p");
  EXPECT_EQ(pool.keys(0).state(), v1::KEY_STATE_COOLING);
  EXPECT_EQ(pool.keys(1).state(), v1::KEY_STATE_DISABLED);
  EXPECT_EQ(broker_->LeaseOk("p").key_name(), "name-of-c");
}

TEST_F(BrokerUnaryTest, ReloadAnswersWithTheVerdictAndStatusKeepsIt) {
  v1::BrokerStatus status;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(broker_->admin().GetStatus(&context, v1::GetStatusRequest(), &status).ok());
  }
  EXPECT_EQ(status.config_path(), "/etc/config.json");
  EXPECT_FALSE(status.version().empty());
  EXPECT_FALSE(status.has_last_reload());
  broker_->OnReload([this] {
    ReloadReport report{false, broker_->service().Now(), {}, {}, {}};
    report.problems.push_back({ConfigProblem::Severity::kError, "/etc/config.json", 3, "p", "Providers[0]", "is odd"});
    broker_->service().RecordReload(report);
    return report;
  });
  v1::ReloadVerdict verdict;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(broker_->admin().Reload(&context, v1::ReloadRequest(), &verdict).ok());
  }
  EXPECT_FALSE(verdict.accepted());
  ASSERT_EQ(verdict.problems_size(), 1);
  EXPECT_EQ(verdict.problems(0).line(), 3);
  EXPECT_EQ(verdict.problems(0).severity(), v1::ConfigProblem::ERROR);
  grpc::ClientContext context;
  ASSERT_TRUE(broker_->admin().GetStatus(&context, v1::GetStatusRequest(), &status).ok());
  EXPECT_EQ(status.last_reload().problems(0).message(), "is odd");
}

TEST_F(BrokerUnaryTest, ListPoolsNeverShowsAKey) {
  broker_->LeaseOk("p");
  grpc::ClientContext context;
  v1::ListPoolsResponse response;
  ASSERT_TRUE(broker_->admin().ListPools(&context, v1::ListPoolsRequest(), &response).ok());
  EXPECT_EQ(response.pools_size(), 2);
  EXPECT_EQ(response.config_path(), "/etc/config.json");
  EXPECT_EQ(response.pools(0).strategy(), "round_robin");
  EXPECT_EQ(response.pools(0).keys(0).in_flight(), 1u);
  EXPECT_THAT(response.ShortDebugString(), Not(HasSubstr("canary")));
}

TEST_F(BrokerUnaryTest, ListPoolsHidesSecretsInUrls) {
  ProviderConfig provider = Provider("q", {"a"});
  provider.base_url = "http://127.0.0.1:9/q?key=canary-in-url&api-version=1";
  broker_.reset();
  broker_ = std::make_unique<RunningBroker>(&store_, Configuration(std::move(provider)));
  EXPECT_EQ(broker_->Pool("q").base_url(), "http://127.0.0.1:9/q?key=(hidden)&api-version=1");
  EXPECT_THAT(broker_->LeaseOk("q").base_url(), HasSubstr("canary-in-url"));
}

TEST(BrokerAddressTest, UnixSocketsArePrivateAndStaleOnesReplaced) {
  std::string pattern = (std::filesystem::temp_directory_path() / "ccr-unix-XXXXXX").string();
  const std::string dir = mkdtemp(pattern.data());
  const std::string listen = "unix:" + dir + "/broker.sock";
  MemoryStore store;
  {
    RunningBroker broker(&store, Configuration(Provider("p", {"a"})), listen);
    EXPECT_EQ(broker.LeaseOk("p").key_name(), "name-of-a");
    struct stat info = {};
    ASSERT_EQ(stat((dir + "/broker.sock").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
    EXPECT_EQ(GrpcServer::Start({{listen}, ""}, &broker.service(), nullptr).status().code(),
              absl::StatusCode::kUnavailable);
  }
  RunningBroker again(&store, Configuration(Provider("p", {"a"})), listen);
  EXPECT_EQ(again.LeaseOk("p").key_name(), "name-of-a");
  std::filesystem::remove_all(dir);
}

TEST_F(BrokerUnaryTest, ATakenPortIsAnError) {
  EXPECT_EQ(GrpcServer::Start({{broker_->server().address()}, ""}, &broker_->service(), nullptr).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(GrpcServer::Start({{"nonsense"}, ""}, &broker_->service(), nullptr).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ccr
