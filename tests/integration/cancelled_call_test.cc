// Calls that end between a request and its answer, at each point where they can.
#include "broker/adapters/grpc/lease_stream.h"
#include "broker/adapters/grpc/unary_lease.h"
#include "tests/integration/broker_fixture.h"
#include "tests/integration/fake_calls.h"

namespace ccr {
namespace {

std::shared_ptr<const Caller> Anybody() {
  return std::make_shared<const Caller>("anybody", Role::kAdmin, std::vector<std::string>());
}

class CancelledCallTest : public ::testing::Test {
 protected:
  CancelledCallTest() {
    ProviderConfig queued = Provider("queued", {"q"});
    queued.max_concurrent = 1;
    queued.queue.max_wait = absl::Seconds(20);
    broker_ = std::make_unique<RunningBroker>(&store_, Configuration(Provider("p", {"a", "b"}), std::move(queued)));
  }

  static v1::LeaseStreamRequest Hello() {
    v1::LeaseStreamRequest request;
    request.mutable_hello()->set_client("test");
    request.mutable_hello()->set_session_token("session-token-0001");
    return request;
  }
  static v1::LeaseStreamRequest LeaseOf(const std::string& pool) {
    v1::LeaseStreamRequest request;
    v1::Operation* operation = request.add_operations();
    operation->set_correlation_id(1);
    operation->mutable_lease()->set_pool(pool);
    operation->mutable_lease()->set_max_wait_ms(20000);
    return request;
  }
  std::unique_ptr<FakeStreamCall> Open(bool greet = true) {
    auto call = std::make_unique<FakeStreamCall>(LeaseStream::Start(&broker_->service(), &streams_, Anybody()));
    if (!greet) return call;
    call->Deliver(Hello());
    call->EndWrite(true);
    return call;
  }
  uint32_t InFlight(const std::string& pool) { return broker_->Pool(pool).in_flight(); }

  MemoryStore store_;
  std::unique_ptr<RunningBroker> broker_;
  LeaseStreamSet streams_;
};

TEST_F(CancelledCallTest, AMessageThatComesAfterTheEndLeasesNothing) {
  const auto call = Open();
  call->Cancel();
  v1::LeaseStreamRequest request = LeaseOf("p");
  const v1::LeaseResponse other = broker_->LeaseOk("p");
  *request.add_operations()->mutable_report() = ReportOf(other.lease_id(), 503);
  request.mutable_operations(1)->mutable_report()->mutable_next()->set_pool("p");
  call->Deliver(request);
  call->End();
  EXPECT_EQ(InFlight("p"), 0U);
  EXPECT_EQ(broker_->Pool("p").acquired(), 1U);
  EXPECT_EQ(broker_->Pool("p").reported(), 1U) << "what happened to a key counts all the same";
}

TEST_F(CancelledCallTest, AGreetingAfterTheEndTakesNothingOver) {
  StreamClient other(*broker_, "session-token-0001");
  const v1::LeaseResponse held = other.Lease("p");
  const auto call = Open(false);
  call->Cancel();
  call->Deliver(Hello());
  call->End();
  EXPECT_EQ(InFlight("p"), 1U) << "the stream that lives owns it";
  EXPECT_EQ(broker_->service().streams(), 1U);
}

TEST_F(CancelledCallTest, GrantsThatWereNotSentAreGivenBackAtOnce) {
  for (const bool sent : {false, true}) {
    const auto call = Open();
    call->Deliver(LeaseOf("p"));
    EXPECT_TRUE(call->writing());
    call->Deliver(LeaseOf("p"));
    EXPECT_EQ(InFlight("p"), 2U);
    call->Cancel();
    call->EndWrite(sent);
    call->End();
    EXPECT_EQ(InFlight("p"), sent ? 1U : 0U) << "a grant that was sent has the grace time";
  }
}

TEST_F(CancelledCallTest, AClientThatOnlyEndsItsSideStillGetsWhatWasGathered) {
  const auto call = Open();
  call->Deliver(LeaseOf("p"));
  call->Deliver(LeaseOf("p"));
  call->Close();
  call->EndWrite(true);
  call->End();
  EXPECT_EQ(call->written().back().results_size(), 1);
  EXPECT_EQ(InFlight("p"), 2U);
}

TEST_F(CancelledCallTest, AWaitEndsWithItsStream) {
  const v1::LeaseResponse held = broker_->LeaseOk("queued");
  const auto call = Open();
  call->Deliver(LeaseOf("queued"));
  EXPECT_EQ(broker_->Pool("queued").waiting(), 1U);
  call->Cancel();
  call->Deliver(LeaseOf("queued"));
  call->End();
  EXPECT_EQ(broker_->Pool("queued").waiting(), 0U);
  broker_->Report(ReportOf(held.lease_id(), 200));
  EXPECT_EQ(InFlight("queued"), 0U);
}

TEST_F(CancelledCallTest, AUnaryLeaseThatIsCancelledIsGivenBack) {
  v1::LeaseRequest request;
  request.set_pool("p");
  v1::LeaseResponse response;
  FakeUnaryCall call(UnaryLease::Lease(&broker_->service(), *Anybody(), request, &response));
  EXPECT_EQ(InFlight("p"), 1U);
  call.Cancel();
  call.End();
  EXPECT_EQ(InFlight("p"), 0U);
}

TEST_F(CancelledCallTest, AUnaryWaitThatIsCancelledIsGivenUp) {
  const v1::LeaseResponse held = broker_->LeaseOk("queued");
  v1::LeaseRequest request;
  request.set_pool("queued");
  request.set_max_wait_ms(20000);
  v1::LeaseResponse response;
  FakeUnaryCall call(UnaryLease::Lease(&broker_->service(), *Anybody(), request, &response));
  EXPECT_EQ(broker_->Pool("queued").waiting(), 1U);
  call.Cancel();
  call.End();
  EXPECT_EQ(broker_->Pool("queued").waiting(), 0U);
}

}  // namespace
}  // namespace ccr
