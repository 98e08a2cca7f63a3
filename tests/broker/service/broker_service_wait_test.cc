#include "tests/broker/service/broker_service_fixture.h"

namespace ccr {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using Type = core::Transition::Type;

class WaitTest : public BrokerServiceTest {
 protected:
  WaitTest() {
    ProviderConfig provider = MakeProvider("p", {"a"});
    provider.max_concurrent = 1;
    provider.queue.max_wait = absl::Seconds(10);
    Apply(MakeConfig(std::move(provider)));
    held_ = LeaseNow(*service_, "p");
  }
  core::LeaseId Wait(core::OwnerId owner = core::kNoOwner) {
    LeaseParams params;
    params.pool = "p";
    params.max_wait = absl::Seconds(60);
    params.owner = owner;
    core::LeaseId wait;
    EXPECT_EQ(service_->Lease(params,
                              [&](const core::LeaseId& id) -> LeaseCallback {
                                wait = id;
                                return [this](LeaseAnswer answer) { answers_.push_back(std::move(answer)); };
                              }),
              std::nullopt);
    return wait;
  }

  LeaseAnswer held_;
  std::vector<LeaseAnswer> answers_;
};

TEST_F(WaitTest, AReportLetsAWaiterGo) {
  const core::LeaseId id = Wait();
  EXPECT_EQ(Pool("p").snapshot.waiting, 1u);
  Report(held_, 200);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_TRUE(answers_[0].status.ok());
  EXPECT_EQ(answers_[0].grant.id, id);
  EXPECT_FALSE(service_->CancelWait(id));
}

TEST_F(WaitTest, AWaitEndsAtThePoolsLimit) {
  Wait();
  EXPECT_EQ(due_, clock_.Now() + absl::Seconds(10));
  clock_.Advance(absl::Milliseconds(9999));
  service_->Sweep();
  EXPECT_TRUE(answers_.empty());
  clock_.Advance(absl::Milliseconds(1));
  service_->Sweep();
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(answers_[0].refused, core::Refusal::Why::kWaitedTooLong);
}

TEST_F(WaitTest, ACancelledWaitIsNotAnswered) {
  EXPECT_TRUE(service_->CancelWait(Wait()));
  Report(held_, 200);
  EXPECT_TRUE(answers_.empty());
  EXPECT_EQ(Pool("p").snapshot.in_flight, 0u);
}

TEST_F(WaitTest, AClosedStreamsWaitsAreDropped) {
  const auto stream = service_->OpenStream("token-of-16-bytes", {});
  Wait(stream.owner);
  service_->CloseStream(stream.owner);
  Report(held_, 200);
  EXPECT_TRUE(answers_.empty());
  EXPECT_EQ(Pool("p").snapshot.in_flight, 0u);
}

TEST_F(WaitTest, DrainRefusesWaitersAndNewcomersButTakesReports) {
  Wait();
  service_->BeginDrain();
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(LeaseNow(*service_, "p").status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Report(held_, 200).decision.disposition, core::Disposition::kApplied);
}

TEST_F(WaitTest, AReloadThatRemovesThePoolRefusesItsWaiters) {
  Wait();
  Apply(MakeConfig(MakeProvider("q", {"a"})));
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].status.code(), absl::StatusCode::kNotFound);
}

// Somebody still has the directory in which the pool is.
TEST_F(BrokerServiceTest, APoolThatIsGoneKeepsNobodyWaiting) {
  Journal journal(&store_, {&observer_});
  ManagedPool::Environment environment;
  environment.clock = &clock_;
  environment.journal = &journal;
  ProviderConfig provider = MakeProvider("p", {"a"});
  provider.max_concurrent = 1;
  provider.queue.max_wait = absl::Seconds(10);
  Config config;
  const Fingerprinter fingerprinter(TestSalt());
  ManagedPool pool(0, PlanPool(&provider, config, fingerprinter), {}, &environment);
  LeaseParams params;
  params.pool = "p";
  params.max_wait = absl::Seconds(10);
  const std::optional<LeaseAnswer> held = pool.Lease(params, MustNotWait);
  ASSERT_TRUE(held->status.ok());
  int answers = 0;
  const auto wait = [&](const core::LeaseId&) -> LeaseCallback {
    return [&](const LeaseAnswer& answer) { answers += answer.status.code() == absl::StatusCode::kNotFound; };
  };
  EXPECT_EQ(pool.Lease(params, wait), std::nullopt);
  pool.Retire();
  EXPECT_EQ(answers, 1);
  EXPECT_EQ(pool.Lease(params, MustNotWait)->status.code(), absl::StatusCode::kNotFound);
  pool.Apply(MakeReport(held->grant.id, 200));
  EXPECT_TRUE(journal.Settle().ok());
  EXPECT_EQ(observer_.pools.back(), "-p");
  EXPECT_THAT(observer_.types, ElementsAre(Type::kLeased, Type::kQueued)) << "what comes after the end is not told";
}

}  // namespace
}  // namespace ccr
