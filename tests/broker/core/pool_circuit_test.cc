// A provider's outage must not cost its keys.
#include "tests/broker/core/pool_fixture.h"

namespace ccr::core {
namespace {

using PoolCircuitTest = PoolTest;

TEST_F(PoolCircuitTest, OpensWhenNoUntriedKeyIsLeftAndGivesTheFailuresBack) {
  Start(SpecOf(4));
  Tell(GetKey(0, 4), Status(500));
  Tell(GetKey(1, 4), Status(500));
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
  EXPECT_EQ(State(1), KeyState::kCooling);
  Tell(GetKey(2, 4), Status(502));
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
  Tell(GetKey(3, 4), Status(504));
  EXPECT_EQ(Circuit(), CircuitState::kOpen);
  for (KeyIndex key = 0; key < 4; ++key) {
    EXPECT_EQ(State(key), KeyState::kActive) << key;
    EXPECT_EQ(Key(key).consecutive_failures, 0u) << key;
  }
  const Refusal refusal = Refused();
  EXPECT_EQ(refusal.why, Refusal::Why::kCircuitOpen);
  EXPECT_EQ(refusal.retry_at, pool_->Snapshot(now_).circuit_retry_at);
}

TEST_F(PoolCircuitTest, ASuccessBetweenThemShowsThatTheProviderIsWell) {
  Start(SpecOf(4));
  Tell(GetKey(0, 4), Status(500));
  Tell(GetKey(1, 4), Status(500));
  Tell(GetKey(3, 4), Success());
  Tell(GetKey(2, 4), Status(500));
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
}

TEST_F(PoolCircuitTest, TheWindowIsThirtySeconds) {
  for (const auto& [wait, state] : {std::pair{absl::Milliseconds(29'999), CircuitState::kOpen},
                                    {absl::Milliseconds(30'000), CircuitState::kOpen},
                                    {absl::Milliseconds(30'001), CircuitState::kClosed}}) {
    Start(SpecOf(2));
    Tell(GetKey(0, 2), Status(500));
    Pass(wait);
    Tell(GetKey(1, 2), Status(500));
    EXPECT_EQ(Circuit(), state) << wait;
  }
}

TEST_F(PoolCircuitTest, OneKeyThatFailsOftenIsNoOutage) {
  PoolSpec spec = SpecOf(4);
  spec.keys[0].cooldown = absl::Seconds(1);
  spec.keys[0].max_failures = 100;
  Start(spec);
  for (int i = 0; i < 5; ++i) {
    Tell(GetKey(0, 4), Status(500));
    GoTo(Key(0).available_at);
  }
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
}

TEST_F(PoolCircuitTest, GivesBackOnlyWhatTheOutageTook) {
  Start(SpecOf(4));
  Tell(GetKey(0, 4), Status(500));
  GoTo(Key(0).available_at);
  Tell(GetKey(3, 4), Success());
  Tell(GetKey(2, 4), Status(429, absl::Hours(1)));
  for (KeyIndex key : {0, 1, 3}) Tell(GetKey(key, 4), Status(500));
  EXPECT_EQ(Circuit(), CircuitState::kOpen);
  EXPECT_EQ(Key(0).consecutive_failures, 1u);
  EXPECT_EQ(State(0), KeyState::kActive);
  EXPECT_EQ(State(2), KeyState::kCooling);
}

TEST_F(PoolCircuitTest, AnAuthFailureOfTheOutageStays) {
  Start(SpecOf(3));
  const Grant early = GetKey(0, 3);
  Tell(GetKey(0, 3), Status(500));
  Tell(early, Status(401));
  Tell(GetKey(1, 3), Status(500));
  Tell(GetKey(2, 3), Status(500));
  EXPECT_EQ(Circuit(), CircuitState::kOpen);
  GoTo(pool_->NextProbe());
  pool_->OnProbe(0, Status(401), now_, random_);
  EXPECT_EQ(Key(0).reason, "auth");
}

class PoolOpenCircuitTest : public PoolTest {
 protected:
  // Both keys of two failed; `early_` was granted before.
  void SetUp() override {
    Start(SpecOf(2));
    for (int i = 0; i < 4; ++i) early_.push_back(Get());
    Tell(GetKey(0, 2), Status(500));
    Tell(GetKey(1, 2), Status(500));
    EXPECT_EQ(Circuit(), CircuitState::kOpen);
    due_ = pool_->Snapshot(now_).circuit_retry_at;
  }

  std::vector<Grant> early_;
  absl::Time due_;
};

TEST_F(PoolOpenCircuitTest, AdmitsOneTrialWhenItsTimeIsOver) {
  EXPECT_GE(due_ - now_, absl::Milliseconds(900));
  EXPECT_LE(due_ - now_, absl::Milliseconds(1'100));
  EXPECT_EQ(pool_->NextDue(), due_);
  GoTo(due_ - absl::Nanoseconds(1));
  Refused();
  GoTo(due_);
  EXPECT_EQ(Circuit(), CircuitState::kHalfOpen);
  const Grant trial = Get();
  EXPECT_TRUE(trial.trial);
  EXPECT_EQ(trial.candidates_left, 0u);
  EXPECT_EQ(Refused().why, Refusal::Why::kCircuitOpen);
  Tell(trial, Success());
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
  EXPECT_FALSE(Get().trial);
}

TEST_F(PoolOpenCircuitTest, EachFailureOfTheTrialDoublesTheWaitAndCostsNoKey) {
  for (int seconds : {2, 4, 8, 16, 30, 30}) {
    GoTo(pool_->Snapshot(now_).circuit_retry_at);
    Tell(Get(), Status(500));
    const absl::Duration wait = pool_->Snapshot(now_).circuit_retry_at - now_;
    EXPECT_GE(wait, absl::Seconds(seconds) * 0.89);
    EXPECT_LE(wait, std::min(absl::Seconds(30), absl::Seconds(seconds) * 1.11));
  }
  EXPECT_EQ(Key(0).consecutive_failures, 0u);
  EXPECT_EQ(Key(1).consecutive_failures, 0u);
}

TEST_F(PoolOpenCircuitTest, StragglersOfTheOutageCountNothing) {
  Tell(early_[0], Status(500));
  Tell(early_[1], Status(500));
  EXPECT_EQ(Key(0).consecutive_failures + Key(1).consecutive_failures, 0u);
  Tell(early_[2], Success());
  EXPECT_EQ(Circuit(), CircuitState::kOpen);
  EXPECT_EQ(pool_->Snapshot(now_).circuit_retry_at, due_);
  GoTo(due_);
  Tell(Get(), Success());
  Tell(early_[3], Status(500));
  EXPECT_EQ(Key(0).consecutive_failures + Key(1).consecutive_failures, 0u);
  EXPECT_EQ(Key(0).available && Key(1).available, true);
}

TEST_F(PoolOpenCircuitTest, ANeutralTrialIsFreeAgain) {
  GoTo(due_);
  Tell(Get(), Cancelled());
  EXPECT_EQ(Circuit(), CircuitState::kHalfOpen);
  const Grant trial = Get();
  EXPECT_TRUE(trial.trial);
  Pass(absl::Minutes(10));
  EXPECT_TRUE(Get().trial);
}

TEST_F(PoolCircuitTest, ASingleKeyIsNeverTakenOutForItsProvider) {
  Start(SpecOf(1));
  Tell(Get(), Status(500));
  Tell(Get(), Status(500));
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
  EXPECT_EQ(State(0), KeyState::kActive);
  Tell(Get(), Status(500));
  EXPECT_EQ(Circuit(), CircuitState::kOpen);
  EXPECT_EQ(State(0), KeyState::kActive);
  EXPECT_EQ(Key(0).consecutive_failures, 0u);
}

TEST_F(PoolCircuitTest, TheLastAvailableKeyIsSpared) {
  Start(SpecOf(3));
  Disable(0, 3);
  Tell(GetKey(1, 3), Status(429, absl::Hours(1)));
  for (int i = 0; i < 20; ++i) {
    const LeaseResult result = Ask();
    if (std::holds_alternative<Grant>(result)) Tell(std::get<Grant>(result), Status(i % 2 == 0 ? 500 : 502));
    EXPECT_EQ(State(2), KeyState::kActive);
    Pass(absl::Seconds(20));
  }
}

TEST_F(PoolCircuitTest, ThreeOverloadsInARowOpenItAndTouchNoKey) {
  Start(SpecOf(3));
  Tell(GetKey(0, 3), Status(529));
  Tell(GetKey(1, 3), Status(503));
  Tell(GetKey(1, 3), Success());
  Tell(GetKey(0, 3), Status(529));
  Tell(GetKey(1, 3), Status(503));
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
  Tell(GetKey(2, 3), Status(529, absl::Seconds(7)));
  EXPECT_EQ(Circuit(), CircuitState::kOpen);
  EXPECT_EQ(pool_->Snapshot(now_).circuit_retry_at, now_ + absl::Seconds(7));
  for (KeyIndex key = 0; key < 3; ++key) EXPECT_EQ(State(key), KeyState::kActive);
}

}  // namespace
}  // namespace ccr::core
