// The middle of a lease: a good answer has begun, and who waits for its verdict need not wait for its end.
#include "tests/broker/core/pool_fixture.h"

namespace ccr::core {
namespace {

using PoolProgressTest = PoolTest;

// A pool whose circuit has opened, and is half-open at `due_`.
class PoolHalfOpenTest : public PoolTest {
 protected:
  void SetUp() override {
    PoolSpec spec = SpecOf(2);
    spec.queue_wait = absl::Minutes(10);
    spec.trial_time = absl::Seconds(30);
    Start(spec);
    for (int i = 0; i < 3; ++i) Tell(Get(), Status(529));
    EXPECT_EQ(Circuit(), CircuitState::kOpen);
    due_ = pool_->Snapshot(now_).circuit_retry_at;
    GoTo(due_);
  }
  bool Waits() { return !pool_->Wait({NewId(), kNoOwner, {}}, absl::Minutes(10), now_, random_).has_value(); }

  absl::Time due_;
};

TEST_F(PoolHalfOpenTest, TheFirstByteOfTheTrialServesEverybody) {
  const Grant trial = Get();
  EXPECT_TRUE(trial.trial);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Waits());
  EXPECT_TRUE(Poll().empty());
  Transitions();
  Pass(absl::Seconds(1));
  EXPECT_TRUE(Begin(trial));
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
  EXPECT_EQ(CountOf(Transition::Type::kCircuitClosed), 1u);
  EXPECT_EQ(Poll().size(), 3u);
  EXPECT_FALSE(Get().trial);
  Pass(absl::Minutes(1));
  Tell(trial, Success());
  EXPECT_EQ(Key(trial.key).successes, 1u);
}

TEST_F(PoolHalfOpenTest, ACutIsAnOrdinaryFailure) {
  const Grant trial = Get();
  Begin(trial);
  EXPECT_EQ(Tell(trial, Cut()).outcome, Outcome::kUpstreamFailure);
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
  EXPECT_EQ(State(trial.key), KeyState::kCooling);
  EXPECT_EQ(Key(trial.key).consecutive_failures, 1u);
  EXPECT_EQ(Key(trial.key).successes, 0u);
  EXPECT_EQ(Key(trial.key).failures, 1u);
}

TEST_F(PoolHalfOpenTest, ACutOfAnEarlierOutageIsStale) {
  const Grant trial = Get();
  Begin(trial);
  for (int i = 0; i < 3; ++i) Tell(Get(), Status(529));
  const absl::Time due = pool_->Snapshot(now_).circuit_retry_at;
  EXPECT_EQ(Circuit(), CircuitState::kOpen);
  Tell(trial, Cut());
  EXPECT_EQ(pool_->Snapshot(now_).circuit_retry_at, due);
  EXPECT_EQ(State(trial.key), KeyState::kActive);
}

TEST_F(PoolHalfOpenTest, ATrialWithoutAVerdictMakesRoomForTheNextInTime) {
  const Grant vanished = Get();
  EXPECT_TRUE(Waits());
  EXPECT_EQ(pool_->NextDue(), due_ + absl::Seconds(30));
  GoTo(due_ + absl::Milliseconds(29'999));
  EXPECT_TRUE(Poll().empty());
  GoTo(due_ + absl::Milliseconds(30'000));
  const auto answers = Poll();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_TRUE(std::get<Grant>(answers[0].result).trial);
  EXPECT_EQ(Refused().why, Refusal::Why::kCircuitOpen) << "one at a time";
  Pass(absl::Milliseconds(30'000));
  EXPECT_TRUE(Get().trial);
  EXPECT_EQ(pool_->Snapshot(now_).in_flight, 3u) << "leases live on";
  EXPECT_TRUE(pool_->Renew(vanished.id, now_));
}

TEST_F(PoolHalfOpenTest, ALateVerdictCountsAsLongAsNoneHasCome) {
  for (const bool good : {true, false}) {
    SetUp();
    const Grant late = Get();
    Pass(absl::Seconds(30));
    const Grant other = Get();
    EXPECT_TRUE(other.trial);
    Tell(late, good ? Success() : Status(500));
    EXPECT_EQ(Circuit(), good ? CircuitState::kClosed : CircuitState::kOpen);
    EXPECT_EQ(Key(late.key).consecutive_failures, 0u);
    const absl::Time due = pool_->Snapshot(now_).circuit_retry_at;
    Tell(other, Status(500));
    EXPECT_EQ(Circuit(), good ? CircuitState::kClosed : CircuitState::kOpen);
    EXPECT_EQ(pool_->Snapshot(now_).circuit_retry_at, due);
    EXPECT_EQ(Key(other.key).consecutive_failures, good ? 1u : 0u) << "of a closed circuit it is an ordinary failure";
  }
}

TEST_F(PoolHalfOpenTest, AStaleTrialsEndFreesNoOther) {
  const Grant first = Get();
  Pass(absl::Seconds(30));
  const Grant second = Get();
  Tell(first, Status(500));
  GoTo(pool_->Snapshot(now_).circuit_retry_at);
  const Grant third = Get();
  EXPECT_TRUE(third.trial);
  Tell(second, Cancelled());
  EXPECT_EQ(Refused().why, Refusal::Why::kCircuitOpen);
  EXPECT_TRUE(Begin(third));
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
}

TEST_F(PoolHalfOpenTest, ARestartKeepsNoTrial) {
  const Grant trial = Get();
  pool_ = std::make_unique<Pool>(SpecOf(2), now_);
  epoch_ = 2;
  ASSERT_TRUE(pool_->Reassert(trial.id, 1, "fp0", now_));
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
  EXPECT_TRUE(Begin(trial)) << "as any lease";
  EXPECT_FALSE(Begin(trial));
  EXPECT_EQ(Tell(trial, Success()).disposition, Disposition::kApplied);
  EXPECT_EQ(Key(0).successes, 1u);
}

// A key that is DISABLED("failures"), its trial due; key 1 is well.
class PoolKeyTrialTest : public PoolTest {
 protected:
  void SetUp() override {
    PoolSpec spec = SpecOf(2);
    spec.keys[0].max_failures = 2;
    spec.keys[0].cooldown = absl::Seconds(10);
    Start(spec);
    while (State(0) != KeyState::kDisabled) {
      Tell(GetKey(0, 2), Status(500));
      Tell(GetKey(1, 2), Success());
      GoTo(std::max(now_, Key(0).available_at));
    }
    Transitions();
  }
};

TEST_F(PoolKeyTrialTest, TheFirstByteEndsTheDisable) {
  const Grant trial = Get();
  ASSERT_EQ(trial.key, 0u);
  EXPECT_EQ(State(0), KeyState::kDisabled);
  EXPECT_TRUE(Begin(trial));
  EXPECT_EQ(State(0), KeyState::kActive);
  EXPECT_EQ(Key(0).consecutive_failures, 0u);
  EXPECT_EQ(CountOf(Transition::Type::kRecovered), 1u);
  EXPECT_FALSE(GetKey(0, 2).trial);
  Tell(trial, Cut());
  EXPECT_EQ(State(0), KeyState::kCooling) << "an ordinary failure";
  EXPECT_EQ(Key(0).consecutive_failures, 1u);
}

TEST_F(PoolKeyTrialTest, AVanishedCallerHoldsItUpForTheTrialsTime) {
  const Grant vanished = Get();
  EXPECT_EQ(vanished.key, 0u);
  Pass(absl::Milliseconds(29'999));
  EXPECT_EQ(Get().key, 1u);
  Pass(absl::Milliseconds(1));
  const Grant second = Get();
  EXPECT_EQ(second.key, 0u);
  EXPECT_TRUE(second.trial);
  EXPECT_EQ(Get().key, 1u) << "one at a time";
  Tell(vanished, Success());
  EXPECT_EQ(State(0), KeyState::kActive) << "late, but a verdict";
  Tell(second, Status(500));
  EXPECT_EQ(Key(0).consecutive_failures, 1u);
}

TEST_F(PoolKeyTrialTest, ALateFailureDisablesAgain) {
  const Grant late = Get();
  Pass(absl::Seconds(30));
  const Grant second = Get();
  Tell(late, Status(500));
  EXPECT_EQ(State(0), KeyState::kDisabled);
  EXPECT_GT(Key(0).available_at, now_);
  Tell(second, Success());
  EXPECT_EQ(State(0), KeyState::kDisabled) << "granted before that failure";
}

TEST_F(PoolProgressTest, WhatIsNoNewsChangesNothing) {
  Start(SpecOf(1));
  const Grant grant = Get();
  for (const int status : {0, 100, 199, 300, 404, 529}) {
    EXPECT_FALSE(pool_->Progress(grant.id, {status, absl::Seconds(1)}, now_, random_)) << status;
  }
  EXPECT_FALSE(pool_->Progress(NewId(), {200, absl::Seconds(1)}, now_, random_)) << "unknown";
  EXPECT_EQ(Key(0).latency, absl::ZeroDuration());
  EXPECT_TRUE(pool_->Progress(grant.id, {299, absl::Seconds(1)}, now_, random_));
  EXPECT_FALSE(pool_->Progress(grant.id, {200, absl::Seconds(9)}, now_, random_)) << "twice";
  EXPECT_EQ(Key(0).latency, absl::Seconds(1));
  EXPECT_EQ(Key(0).in_flight, 1u);
  Tell(grant, Success());
  EXPECT_FALSE(pool_->Progress(grant.id, {200, absl::Seconds(9)}, now_, random_)) << "late";
  EXPECT_EQ(Key(0).latency, absl::Seconds(1)) << "recorded once";
  EXPECT_EQ(Key(0).successes, 1u);
}

TEST_F(PoolProgressTest, TheReportSettlesTokensAndCountsTheSuccess) {
  Start(SpecOf(1));
  const Grant grant = Get();
  Begin(grant);
  Transitions();
  Evidence evidence = Success();
  evidence.input_tokens = 7;
  evidence.output_tokens = 5;
  Pass(absl::Minutes(1));
  Tell(grant, evidence);
  EXPECT_EQ(Key(0).input_tokens + Key(0).output_tokens, 12u);
  EXPECT_EQ(Key(0).last_success, now_);
  EXPECT_EQ(CountOf(Transition::Type::kSuccess), 1u);
}

TEST_F(PoolProgressTest, EndsTheFailuresInARowAtTheHeadAndNotAgainAtTheEnd) {
  Start(SpecOf(2));
  const Grant stream = GetKey(0, 2);
  Tell(GetKey(0, 2), Status(500));
  EXPECT_EQ(Key(0).consecutive_failures, 1u);
  Begin(stream);
  EXPECT_EQ(Key(0).consecutive_failures, 0u);
  EXPECT_EQ(State(0), KeyState::kCooling) << "deadlines stand";
  GoTo(Key(0).available_at);
  Tell(GetKey(0, 2), Status(500));
  Tell(stream, Success());
  EXPECT_EQ(Key(0).consecutive_failures, 1u);
}

TEST_F(PoolProgressTest, GoodBeginningsShowThatTheProviderIsWell) {
  Start(SpecOf(4));
  Tell(GetKey(0, 4), Status(500));
  Tell(GetKey(1, 4), Status(500));
  Begin(GetKey(3, 4));
  Tell(GetKey(2, 4), Status(500));
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
  Start(SpecOf(2));
  for (int i = 0; i < 6; ++i) {
    Tell(Get(), Status(529));
    if (i % 2 == 1) Tell(Get(), Begin(Get()) ? Cancelled() : Success());
  }
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
}

TEST_F(PoolProgressTest, ThreeOverloadsAmongFortyStreamsAreNoOutage) {
  Start(SpecOf(2));
  std::vector<Grant> streams;
  for (int i = 0; i < 40; ++i) streams.push_back(Get());
  for (const Grant& stream : streams) Begin(stream);
  for (int i = 0; i < 40; ++i) Tell(Get(), Status(529));
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
  Tell(Get(), Status(529));
  EXPECT_EQ(Circuit(), CircuitState::kOpen) << "more than are under way";
}

TEST_F(PoolProgressTest, StreamsThatEndedHoldNoCircuitClosed) {
  Start(SpecOf(2));
  std::vector<Grant> streams;
  for (int i = 0; i < 40; ++i) streams.push_back(Get());
  for (const Grant& stream : streams) Begin(stream);
  for (const Grant& stream : streams) Tell(stream, Success());
  for (int i = 0; i < 3; ++i) Tell(Get(), Status(529));
  EXPECT_EQ(Circuit(), CircuitState::kOpen);
}

TEST_F(PoolProgressTest, TheStrategyLearnsTheLatencyAtOnceAndOnce) {
  Start(SpecOf(2, "lowest_latency"));
  const Grant slow = GetKey(0, 2), fast = GetKey(1, 2);
  Begin(slow, absl::Seconds(5));
  Begin(fast, absl::Milliseconds(10));
  for (int i = 0; i < 20; ++i) {
    const Grant grant = Get();
    EXPECT_EQ(grant.key, 1u);
    Tell(grant, Cancelled());
  }
  Evidence other = Success();
  other.first_byte = absl::Hours(1);
  Tell(fast, other);
  for (int i = 0; i < 20; ++i) {
    const Grant grant = Get();
    EXPECT_EQ(grant.key, 1u);
    Tell(grant, Cancelled());
  }
}

}  // namespace
}  // namespace ccr::core
