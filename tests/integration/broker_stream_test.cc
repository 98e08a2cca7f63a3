#include <future>

#include "tests/broker/service/stores.h"
#include "tests/integration/broker_fixture.h"

namespace ccr {
namespace {

using ::testing::ElementsAre;

constexpr char kToken[] = "session-token-0001";

class BrokerStreamTest : public ::testing::Test {
 protected:
  BrokerStreamTest() { Restart(); }

  void Restart(absl::Duration grace = absl::Minutes(1)) {
    ProviderConfig queued = Provider("queued", {"q"});
    queued.max_concurrent = 1;
    queued.queue.max_wait = absl::Seconds(20);
    ProviderConfig waits = Provider("waits", {"c", "d"});
    waits.queue.max_wait = absl::Minutes(1);
    Config config = Configuration(Provider("p", {"a", "b"}), std::move(queued), std::move(waits));
    config.broker.stream_grace = grace;
    broker_.reset();
    broker_ = std::make_unique<RunningBroker>(&store_, std::move(config));
  }
  static v1::LeaseStreamRequest LeaseOf(const std::string& pool, uint64_t correlation, uint32_t max_wait_ms = 0) {
    v1::LeaseStreamRequest request;
    v1::Operation* operation = request.add_operations();
    operation->set_correlation_id(correlation);
    operation->mutable_lease()->set_pool(pool);
    operation->mutable_lease()->set_max_wait_ms(max_wait_ms);
    return request;
  }
  static v1::LeaseStreamRequest CancelOf(uint64_t correlation) {
    v1::LeaseStreamRequest request;
    request.add_operations()->mutable_cancel()->set_correlation_id(correlation);
    return request;
  }
  bool InFlightBecomes(const std::string& pool, uint32_t count) {
    return Eventually([&] { return broker_->Pool(pool).in_flight() == count; });
  }

  MemoryStore store_;
  std::unique_ptr<RunningBroker> broker_;
};

TEST_F(BrokerStreamTest, ABatchIsAnsweredInItsOrder) {
  StreamClient stream(*broker_, kToken);
  EXPECT_EQ(stream.ack().epoch(), broker_->service().epoch());
  EXPECT_EQ(stream.ack().grace_ms(), 60000u);
  v1::LeaseStreamRequest batch;
  for (uint64_t i = 0; i < 200; ++i) {
    batch.add_operations()->set_correlation_id(1000 + i);
    batch.mutable_operations(static_cast<int>(i))->mutable_lease()->set_pool(i % 50 == 49 ? "nope" : "p");
  }
  stream.Send(batch);
  const std::vector<v1::Result> results = stream.ReadResults(200);
  for (uint64_t i = 0; i < 200; ++i) {
    EXPECT_EQ(results[i].correlation_id(), 1000 + i);
    if (i % 50 == 49) {
      EXPECT_EQ(results[i].error().code(), grpc::StatusCode::NOT_FOUND);
    } else {
      EXPECT_TRUE(results[i].has_lease());
    }
  }
  EXPECT_EQ(broker_->Pool("p").in_flight(), 196u);
}

TEST_F(BrokerStreamTest, ReportAndNextLeaseTakeOneRoundTrip) {
  StreamClient stream(*broker_, kToken);
  const v1::LeaseResponse lease = stream.Lease("p");
  v1::LeaseStreamRequest request;
  v1::Operation* operation = request.add_operations();
  operation->set_correlation_id(9);
  *operation->mutable_report() = ReportOf(lease.lease_id(), 402);
  operation->mutable_report()->mutable_next()->set_pool("p");
  stream.Send(request);
  const v1::Result result = stream.ReadResults(1).at(0);
  EXPECT_EQ(result.correlation_id(), 9u);
  EXPECT_EQ(result.report().outcome(), v1::OUTCOME_QUOTA);
  EXPECT_EQ(result.report().advice(), v1::ReportResponse::ROTATE);
  EXPECT_NE(result.report().next().key_name(), lease.key_name());

  *operation->mutable_report() = ReportOf(result.report().next().lease_id(), 401);
  operation->mutable_report()->mutable_next()->set_pool("p");
  stream.Send(request);
  const v1::ReportResponse refused = stream.ReadResults(1).at(0).report();
  EXPECT_FALSE(refused.has_next());
  EXPECT_EQ(refused.next_error().code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(FindDetail<google::rpc::RetryInfo>(refused.next_error()).has_value());
}

TEST_F(BrokerStreamTest, OtherOperationsAndErrorsAreAnswered) {
  StreamClient stream(*broker_, kToken);
  const v1::LeaseResponse lease = stream.Lease("p");
  v1::LeaseStreamRequest request;
  request.add_operations()->mutable_renew()->set_lease_id(lease.lease_id());
  request.add_operations()->mutable_renew()->set_lease_id("bad");
  request.add_operations()->mutable_report()->set_lease_id("bad");
  request.add_operations();
  stream.Send(request);
  const std::vector<v1::Result> results = stream.ReadResults(4);
  EXPECT_EQ(results[0].renew().ttl_ms(), 600000u);
  for (size_t i = 1; i < 4; ++i) {
    EXPECT_EQ(results[i].error().code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_TRUE(FindDetail<google::rpc::BadRequest>(results[i].error()).has_value());
  }
}

// The trial lasts; who waits on the same stream goes on with its first byte.
TEST_F(BrokerStreamTest, APingIsAnsweredAtOnceByNothing) {
  StreamClient stream(*broker_, kToken);
  stream.Lease("queued");
  v1::LeaseStreamRequest request = LeaseOf("queued", 7, 20'000);
  request.add_operations()->mutable_ping();
  request.mutable_operations(1)->set_correlation_id(8);
  stream.Send(request);
  const v1::Result result = stream.ReadResults(1).at(0);
  EXPECT_EQ(result.correlation_id(), 8u);
  EXPECT_EQ(result.result_case(), v1::Result::RESULT_NOT_SET);
}

TEST_F(BrokerStreamTest, ProgressIsNotAnsweredAndLetsOthersGoOn) {
  StreamClient stream(*broker_, kToken);
  for (int i = 0; i < 3; ++i) {
    v1::LeaseStreamRequest request;
    *request.add_operations()->mutable_report() = ReportOf(stream.Lease("waits").lease_id(), 529);
    stream.Send(request);
    stream.ReadResults(1);
  }
  stream.Send(LeaseOf("waits", 1, 60000));
  stream.Send(LeaseOf("waits", 2, 60000));
  const v1::Result trial = stream.ReadResults(1).at(0);
  EXPECT_EQ(trial.correlation_id(), 1u);
  EXPECT_TRUE(trial.lease().trial());
  v1::LeaseStreamRequest request;
  for (const std::string& id : {std::string("bad"), std::string(48, '0'), trial.lease().lease_id()}) {
    request.add_operations()->mutable_progress()->set_lease_id(id);
    request.mutable_operations()->rbegin()->mutable_progress()->set_http_status(200);
  }
  request.mutable_operations()->rbegin()->mutable_progress()->set_first_byte_ms(250);
  stream.Send(request);
  const v1::Result other = stream.ReadResults(1).at(0);
  EXPECT_EQ(other.correlation_id(), 2u);
  EXPECT_FALSE(other.lease().trial());
  const v1::PoolStatus pool = broker_->Pool("waits");
  EXPECT_EQ(pool.circuit().state(), v1::CircuitStatus::CLOSED);
  EXPECT_EQ(pool.keys(0).latency_ms() + pool.keys(1).latency_ms(), 250.0);
  request.Clear();
  *request.add_operations()->mutable_report() = ReportOf(trial.lease().lease_id(), 200);
  stream.Send(request);
  EXPECT_EQ(stream.ReadResults(1).at(0).report().disposition(), v1::ReportResponse::APPLIED);
}

TEST_F(BrokerStreamTest, TheFirstMessageMustGreet) {
  for (const char* token : {"", "fifteen-bytes-x"}) {
    grpc::ClientContext context;
    const auto stream = broker_->broker().LeaseStream(&context);
    v1::LeaseStreamRequest request = LeaseOf("p", 1);
    if (*token != '\0') request.mutable_hello()->set_session_token(token);
    stream->Write(request);
    v1::LeaseStreamResponse response;
    EXPECT_FALSE(stream->Read(&response));
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
  EXPECT_EQ(broker_->Pool("p").acquired(), 0u);
}

TEST_F(BrokerStreamTest, AGreetingThatIsWrongIsRefusedWithTheFieldNamed) {
  const std::string id(48, '0');
  const auto refusal = [this](const v1::LeaseStreamRequest& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
    const auto stream = broker_->broker().LeaseStream(&context);
    stream->Write(request);
    v1::LeaseStreamResponse response;
    EXPECT_FALSE(stream->Read(&response));
    const grpc::Status status = stream->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    const auto detail = FindDetail<google::rpc::BadRequest>(status);
    return detail.has_value() ? detail->field_violations(0).field() : "(none)";
  };
  v1::LeaseStreamRequest good;
  good.mutable_hello()->set_session_token(kToken);
  v1::HeldLease* held = good.mutable_hello()->add_held();
  held->set_lease_id(id);
  held->set_pool("p");
  v1::LeaseStreamRequest bad = good;
  for (const std::string& wrong : {std::string(), std::string("bad"), id + "0", std::string(48, 'g')}) {
    bad.mutable_hello()->mutable_held(0)->set_lease_id(wrong);
    EXPECT_EQ(refusal(bad), "hello.held[0].lease_id") << wrong;
  }
  bad = good;
  bad.mutable_hello()->mutable_held(0)->set_pool(std::string(257, 'p'));
  EXPECT_EQ(refusal(bad), "hello.held[0].pool");
  bad = good;
  bad.mutable_hello()->mutable_held(0)->set_key_fingerprint(std::string(65, 'f'));
  EXPECT_EQ(refusal(bad), "hello.held[0].key_fingerprint");
  bad = good;
  for (int i = 0; i < 65536; ++i) *bad.mutable_hello()->add_held() = *held;
  EXPECT_EQ(refusal(bad), "hello.held");
  bad = good;
  bad.mutable_hello()->set_client(std::string(257, 'c'));
  EXPECT_EQ(refusal(bad), "hello.client");
  EXPECT_EQ(broker_->service().streams(), 0U);
}

TEST_F(BrokerStreamTest, AWaitIsAnsweredWhileOthersAreAnsweredAtOnce) {
  StreamClient stream(*broker_, kToken);
  const v1::LeaseResponse held = stream.Lease("queued");
  v1::LeaseStreamRequest request = LeaseOf("queued", 1, 20000);
  *request.add_operations() = LeaseOf("p", 2).operations(0);
  stream.Send(request);
  EXPECT_EQ(stream.ReadResults(1).at(0).correlation_id(), 2u);
  broker_->Report(ReportOf(held.lease_id(), 200));
  const v1::Result later = stream.ReadResults(1).at(0);
  EXPECT_EQ(later.correlation_id(), 1u);
  EXPECT_TRUE(later.has_lease());
}

TEST_F(BrokerStreamTest, CancelGivesUpAWaitAndEndsAGrantedLease) {
  StreamClient stream(*broker_, kToken);
  stream.Send(LeaseOf("queued", 1));
  ASSERT_TRUE(stream.ReadResults(1).at(0).has_lease());
  stream.Send(LeaseOf("queued", 2, 20000));
  EXPECT_TRUE(Eventually([&] { return broker_->Pool("queued").waiting() == 1; }));
  stream.Send(CancelOf(2));
  EXPECT_TRUE(Eventually([&] { return broker_->Pool("queued").waiting() == 0; }));
  stream.Send(CancelOf(1));
  EXPECT_TRUE(InFlightBecomes("queued", 0));
}

TEST_F(BrokerStreamTest, LeasesOfABrokenStreamEndAfterTheGraceTime) {
  Restart(absl::Milliseconds(200));
  {
    StreamClient stream(*broker_, kToken);
    for (int i = 0; i < 100; ++i) stream.Lease("p");
    stream.Send(LeaseOf("queued", 1));
    stream.Send(LeaseOf("queued", 2, 20000));
    EXPECT_TRUE(Eventually([&] { return broker_->Pool("queued").waiting() == 1; }));
    EXPECT_EQ(broker_->Pool("p").in_flight(), 100u);
  }
  EXPECT_TRUE(InFlightBecomes("p", 0));
  EXPECT_TRUE(InFlightBecomes("queued", 0));
  const v1::PoolStatus pool = broker_->Pool("p");
  EXPECT_EQ(pool.expired(), 100u);
  EXPECT_EQ(pool.keys(0).failures(), 0u);
}

TEST_F(BrokerStreamTest, AResumedStreamKeepsTheLeasesItNames) {
  Restart(absl::Seconds(3));
  auto first = std::make_unique<StreamClient>(*broker_, kToken);
  const v1::LeaseResponse kept = first->Lease("p");
  const v1::LeaseResponse dropped = first->Lease("p");
  first.reset();
  StreamClient second(*broker_, kToken, {kept});
  EXPECT_EQ(second.ack().lost_size(), 0);
  EXPECT_TRUE(InFlightBecomes("p", 1));
  EXPECT_EQ(broker_->Report(ReportOf(dropped.lease_id(), 200)).second.disposition(), v1::ReportResponse::LATE);
  EXPECT_EQ(broker_->Report(ReportOf(kept.lease_id(), 200)).second.disposition(), v1::ReportResponse::APPLIED);
}

TEST_F(BrokerStreamTest, AfterARestartHeldLeasesAreTakenOver) {
  auto first = std::make_unique<StreamClient>(*broker_, kToken);
  const v1::LeaseResponse held = first->Lease("p");
  const uint64_t epoch = first->ack().epoch();
  v1::LeaseResponse gone = held;
  gone.set_key_fingerprint("0123456789abcdef");
  gone.set_lease_id(std::string(47, '0') + "1");
  first.reset();
  Restart();

  StreamClient second(*broker_, kToken, {held, gone});
  EXPECT_NE(second.ack().epoch(), epoch);
  EXPECT_THAT(second.ack().lost(), ElementsAre(gone.lease_id()));
  EXPECT_EQ(broker_->Pool("p").in_flight(), 1u);
  v1::LeaseStreamRequest request;
  *request.add_operations()->mutable_report() = ReportOf(held.lease_id(), 200);
  *request.add_operations()->mutable_report() = ReportOf(held.lease_id(), 200);
  second.Send(request);
  const std::vector<v1::Result> results = second.ReadResults(2);
  EXPECT_EQ(results[0].report().disposition(), v1::ReportResponse::APPLIED);
  EXPECT_EQ(results[1].report().disposition(), v1::ReportResponse::DUPLICATE);
  const v1::PoolStatus pool = broker_->Pool("p");
  EXPECT_EQ(pool.in_flight(), 0u);
  EXPECT_EQ(pool.acquired(), pool.reported() + pool.expired());
}

TEST_F(BrokerStreamTest, ADrainTellsStreamsToComeBack) {
  StreamClient stream(*broker_, kToken);
  const v1::LeaseResponse lease = stream.Lease("p");
  broker_->service().BeginDrain();
  std::thread drain([this] { broker_->server().Drain(absl::Minutes(1)); });
  v1::LeaseStreamResponse response;
  ASSERT_TRUE(stream.Read(&response));
  EXPECT_TRUE(response.going_away());
  v1::LeaseStreamRequest request = LeaseOf("p", 5);
  *request.add_operations()->mutable_report() = ReportOf(lease.lease_id(), 200);
  stream.Send(request);
  const std::vector<v1::Result> results = stream.ReadResults(2);
  EXPECT_EQ(results[0].error().code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(results[1].report().disposition(), v1::ReportResponse::APPLIED);
  stream.Break();
  drain.join();
}

TEST_F(BrokerStreamTest, ManyStreamsAtOnceKeepTheSums) {
  constexpr int kStreams = 8;
  constexpr int kRounds = 50;
  std::vector<std::thread> clients;
  for (int i = 0; i < kStreams; ++i) {
    clients.emplace_back([this, i] {
      StreamClient stream(*broker_, "session-token-many-" + std::to_string(i));
      for (int round = 0; round < kRounds; ++round) {
        v1::LeaseStreamRequest leases;
        for (int n = 0; n < 20; ++n) leases.add_operations()->mutable_lease()->set_pool("p");
        stream.Send(leases);
        v1::LeaseStreamRequest reports;
        for (const v1::Result& result : stream.ReadResults(20)) {
          *reports.add_operations()->mutable_report() = ReportOf(result.lease().lease_id(), 200);
        }
        stream.Send(reports);
        stream.ReadResults(20);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  const v1::PoolStatus pool = broker_->Pool("p");
  EXPECT_EQ(pool.reported(), static_cast<uint64_t>(kStreams * kRounds * 20));
  EXPECT_EQ(pool.in_flight(), 0u);
  EXPECT_EQ(pool.keys(0).uses(), pool.keys(1).uses());
}

// A broker whose store is stuck until the gate is opened.
class StuckStoreTest : public ::testing::Test {
 protected:
  static v1::LeaseStreamRequest ReportsOf(const std::vector<std::pair<v1::LeaseResponse, uint32_t>>& reports) {
    v1::LeaseStreamRequest batch;
    for (const auto& [lease, status] : reports) {
      v1::Operation* operation = batch.add_operations();
      operation->set_correlation_id(status);
      *operation->mutable_report() = ReportOf(lease.lease_id(), status);
    }
    return batch;
  }

  Gate gate_;
  ScriptedStore store_{[this](absl::Span<const Record>) { return gate_.Pass(); }};
  RunningBroker broker_{&store_, Configuration(Provider("p", {"a", "b", "c"}))};
};

TEST_F(StuckStoreTest, AReportThatChangesItsKeyIsAnsweredWhenThatIsDurable) {
  StreamClient stream(broker_, kToken);
  const v1::LeaseResponse bad = stream.Lease("p");
  const v1::LeaseResponse good = stream.Lease("p");
  v1::LeaseStreamRequest batch = ReportsOf({{bad, 401}, {good, 200}});
  batch.mutable_operations(0)->mutable_report()->mutable_next()->set_pool("p");
  stream.Send(batch);
  EXPECT_EQ(stream.ReadResults(1).at(0).correlation_id(), 200u);
  EXPECT_FALSE(stream.Lease("p").lease_id().empty());
  EXPECT_TRUE(store_.Load()->keys.empty());
  gate_.Open();
  const v1::Result answer = stream.ReadResults(1).at(0);
  EXPECT_EQ(answer.correlation_id(), 401u);
  EXPECT_FALSE(answer.report().next().lease_id().empty());
  EXPECT_EQ(store_.Load()->keys.size(), 1u);
}

TEST_F(StuckStoreTest, AUnaryReportTooAndOthersGoOn) {
  const v1::LeaseResponse bad = broker_.LeaseOk("p");
  auto answer = std::async(std::launch::async, [&] { return broker_.Report(ReportOf(bad.lease_id(), 401)); });
  gate_.AwaitArrival();
  const v1::LeaseResponse good = broker_.LeaseOk("p");
  EXPECT_TRUE(broker_.Report(ReportOf(good.lease_id(), 200)).first.ok());
  EXPECT_EQ(answer.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  gate_.Open();
  EXPECT_TRUE(answer.get().first.ok());
  EXPECT_EQ(store_.Load()->keys.size(), 1u);
}

TEST_F(StuckStoreTest, AClientThatWritesNoMoreStillGetsTheAnswer) {
  StreamClient stream(broker_, kToken);
  stream.Send(ReportsOf({{stream.Lease("p"), 401}}));
  stream.EndWrites();
  gate_.AwaitArrival();
  gate_.Open();
  EXPECT_EQ(stream.ReadResults(1).at(0).correlation_id(), 401u);
  v1::LeaseStreamResponse more;
  EXPECT_FALSE(stream.Read(&more));
}

}  // namespace
}  // namespace ccr
