// What people do to keys: take them out, put them back, make them forget.
#include <string>
#include <vector>

#include "tests/broker/core/pool_fixture.h"

namespace ccr::core {
namespace {

class PoolOperatorTest : public PoolTest {
 protected:
  void TakeOut(KeyIndex key, absl::Time until) { pool_->TakeOut(key, until, kOutByOperator, now_); }
  void PutBack(KeyIndex key) { TakeOut(key, absl::InfinitePast()); }
  // Of each state or recovery since the last call: "disabled operator", "recovered enabled".
  std::vector<std::string> Told() {
    std::vector<Transition> transitions;
    pool_->TakeTransitions(&transitions);
    std::vector<std::string> told;
    for (const Transition& transition : transitions) {
      using Type = Transition::Type;
      const char* type = transition.type == Type::kDisabled    ? "disabled "
                         : transition.type == Type::kCooling   ? "cooling "
                         : transition.type == Type::kRecovered ? "recovered "
                                                               : nullptr;
      if (type != nullptr) told.push_back(type + std::string(transition.reason));
    }
    return told;
  }
};

TEST_F(PoolOperatorTest, AKeyThatIsOutIsNotLeasedUntilItIsPutBack) {
  Start(SpecOf(2));
  TakeOut(0, absl::InfiniteFuture());
  for (int i = 0; i < 4; ++i) {
    const Grant grant = Get();
    EXPECT_EQ(grant.key, 1u);
    Tell(grant, Success());
  }
  EXPECT_EQ(Key(0).state, KeyState::kDisabled);
  EXPECT_EQ(Key(0).reason, kOutByOperator);
  EXPECT_EQ(Key(0).available_at, absl::InfiniteFuture());
  EXPECT_EQ(Key(0).tried_by, TriedBy::kNobody);
  EXPECT_EQ(pool_->NextProbe(), absl::InfiniteFuture());
  PutBack(0);
  EXPECT_EQ(Key(0).state, KeyState::kActive);
  EXPECT_EQ(Told(), (std::vector<std::string>{"disabled operator", "recovered enabled"}));
  PutBack(0);
  EXPECT_TRUE(Told().empty());
}

TEST_F(PoolOperatorTest, AllKeysOutIsAllDisabled) {
  Start(SpecOf(2));
  TakeOut(0, absl::InfiniteFuture());
  TakeOut(1, absl::InfiniteFuture());
  EXPECT_EQ(Refused().why, Refusal::Why::kAllDisabled);
  EXPECT_EQ(Refused().retry_at, absl::InfiniteFuture());
}

TEST_F(PoolOperatorTest, AnAbsenceEndsByItself) {
  Start(SpecOf(1));
  TakeOut(0, now_ + absl::Hours(2));
  EXPECT_EQ(Refused().retry_at, now_ + absl::Hours(2));
  Pass(absl::Hours(2) - kMs);
  EXPECT_EQ(Refused().retry_at, now_ + kMs);
  Pass(kMs);
  EXPECT_EQ(Get().key, 0u);
  EXPECT_EQ(Told(), (std::vector<std::string>{"disabled operator", "recovered enabled"}));
}

TEST_F(PoolOperatorTest, WhoWaitsIsServedWhenTheKeyIsPutBack) {
  PoolSpec spec = SpecOf(1);
  spec.queue_wait = absl::Seconds(30);
  Start(spec);
  TakeOut(0, now_ + absl::Seconds(20));
  const LeaseId id = NewId();
  ASSERT_FALSE(pool_->Wait({id, kNoOwner, {}, 0, {}, "", 0}, absl::Seconds(30), now_, random_).has_value());
  PutBack(0);
  std::vector<Pool::Answer> answers;
  pool_->Poll(now_, random_, &answers);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<Grant>(answers[0].result));
}

// What answers say of a key while it is out is kept, and holds when it is back; nobody is told of it before.
TEST_F(PoolOperatorTest, WhatAnswersSaidHoldsAfterwards) {
  Start(SpecOf(2));
  const Grant grant = Get();
  ASSERT_EQ(grant.key, 0u);
  TakeOut(0, absl::InfiniteFuture());
  Told();
  Tell(grant, Status(429, absl::Minutes(5)));
  EXPECT_EQ(Key(0).reason, kOutByOperator);
  EXPECT_TRUE(Told().empty());
  PutBack(0);
  EXPECT_EQ(Key(0).state, KeyState::kCooling);
  EXPECT_EQ(Key(0).available_at, now_ + absl::Minutes(5));
  EXPECT_EQ(Told().size(), 1u);
}

TEST_F(PoolOperatorTest, ATrialUnderWayDoesNotBringItBack) {
  Start(SpecOf(2));
  for (int i = 0; i < 3; ++i) {
    if (Key(0).available_at > now_) GoTo(Key(0).available_at);
    Tell(GetKey(0, 2), Status(500));
    Tell(GetKey(1, 2), Success());
  }
  ASSERT_EQ(Key(0).reason, "failures");
  GoTo(Key(0).available_at);
  const Grant trial = Get();
  ASSERT_EQ(trial.key, 0u);
  TakeOut(0, absl::InfiniteFuture());
  Tell(trial, Success());
  EXPECT_EQ(Key(0).state, KeyState::kDisabled);
  EXPECT_EQ(Key(0).reason, kOutByOperator);
  PutBack(0);
  EXPECT_EQ(Key(0).state, KeyState::kActive);
}

TEST_F(PoolOperatorTest, IsNotProbedWhileItIsOut) {
  Start(SpecOf(2));
  Disable(0, 1);
  TakeOut(0, absl::InfiniteFuture());
  Pass(absl::Hours(1));
  std::vector<KeyIndex> probes;
  pool_->TakeProbes(10, now_, &probes);
  EXPECT_TRUE(probes.empty());
  PutBack(0);
  pool_->TakeProbes(10, now_, &probes);
  EXPECT_EQ(probes, std::vector<KeyIndex>{0});
}

TEST_F(PoolOperatorTest, TheConfigurationTakesOutAndPutsBack) {
  PoolSpec spec = SpecOf(2);
  spec.keys[1].out_until = absl::InfiniteFuture();
  spec.keys[1].out_reason = kOutByConfiguration;
  Start(spec);
  EXPECT_EQ(Key(1).reason, kOutByConfiguration);
  EXPECT_EQ(Get().key, 0u);
  EXPECT_EQ(Get().key, 0u);
  pool_->Reconfigure(SpecOf(2), now_);
  EXPECT_EQ(Key(1).state, KeyState::kActive);
  EXPECT_NE(Get().key, Get().key);
}

TEST_F(PoolOperatorTest, WhatIsStoredIsTheStateUnderneath) {
  Start(SpecOf(2));
  Tell(Get(), Status(429, absl::Minutes(5)));
  TakeOut(0, absl::InfiniteFuture());
  const std::optional<KeySnapshot> saved = pool_->DescribeUnderneath(0);
  EXPECT_EQ(saved->state, KeyState::kCooling);
  EXPECT_EQ(saved->available_at, now_ + absl::Minutes(5));
  EXPECT_EQ(pool_->Describe(0)->reason, kOutByOperator);
}

TEST_F(PoolOperatorTest, AResetKeyKnowsNothingOfItsPast) {
  Start(SpecOf(1));
  Tell(Get(), Status(429, absl::Hours(3)));
  const Grant late = [&] {
    pool_->Reset(0, now_);
    return Get();
  }();
  EXPECT_EQ(Key(0).state, KeyState::kActive);
  EXPECT_EQ(Key(0).uses, 2u);
  pool_->Reset(0, now_);
  Tell(late, Status(401));  // of before the reset
  EXPECT_EQ(Key(0).state, KeyState::kActive);
}

TEST_F(PoolOperatorTest, AResetForgetsHoldsOfModels) {
  PoolSpec spec = SpecOf(1);
  spec.keys[0].models = {"a", "b"};
  Start(spec);
  const LeaseResult result = pool_->Lease({NewId(), kNoOwner, {}, 0, {}, "a"}, now_, random_);
  Evidence evidence = Status(429, absl::Hours(1));
  evidence.model_only = true;
  Tell(std::get<Grant>(result), evidence);
  ASSERT_EQ(Key(0).holds.size(), 1u);
  pool_->Reset(0, now_);
  EXPECT_TRUE(Key(0).holds.empty());
  EXPECT_TRUE(std::holds_alternative<Refusal>(
      pool_->Lease({NewId(), kNoOwner, {}, 0, {}, "c"}, now_, random_)));  // still barred
}

TEST_F(PoolOperatorTest, AResetOfAKeyThatIsOutLeavesItOut) {
  Start(SpecOf(1));
  TakeOut(0, absl::InfiniteFuture());
  pool_->Reset(0, now_);
  EXPECT_EQ(Key(0).reason, kOutByOperator);
}

}  // namespace
}  // namespace ccr::core
