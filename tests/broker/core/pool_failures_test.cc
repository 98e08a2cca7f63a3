// What failures do to keys whose cooldown is not set.
#include <vector>

#include "tests/broker/core/pool_fixture.h"

namespace ccr::core {
namespace {

class PoolFailuresTest : public PoolTest {
 protected:
  std::vector<Transition> told_;
};

PoolSpec WithoutCooldown(uint32_t keys) {
  PoolSpec spec = SpecOf(keys);
  for (KeySpec& key : spec.keys) key.cooldown = std::nullopt;
  return spec;
}

// It serves only where no other key can.
TEST_F(PoolFailuresTest, WithoutACooldownTheFirstFailureSparesTheKey) {
  PoolSpec spec = WithoutCooldown(2);
  spec.keys[1].max_concurrent = 2;
  Start(spec);
  Tell(GetKey(1, 2), Success());
  Tell(GetKey(0, 2), Status(500));
  EXPECT_EQ(State(0), KeyState::kActive);
  EXPECT_EQ(Key(0).consecutive_failures, 1u);
  EXPECT_EQ(Get().key, 1u);
  const Grant second = Get();
  EXPECT_EQ(second.key, 1u);
  EXPECT_EQ(Get().key, 0u);
  Pass(absl::Minutes(1));
  Tell(second, Success());
  EXPECT_EQ(Get().key, 0u);
}

// The more of its calls fail, the longer is it spared.
TEST_F(PoolFailuresTest, AKeyThatFailsOftenIsSparedForLonger) {
  Start(WithoutCooldown(2));
  const auto spared_for = [this] {
    Tell(GetKey(0, 2), Status(500));
    Tell(GetKey(1, 2), Success());
    const absl::Time since = now_;
    for (; now_ < since + absl::Minutes(2); Pass(absl::Milliseconds(100))) {
      const Grant grant = Get();
      Tell(grant, Success());
      if (grant.key == 0) break;
    }
    return now_ - since;
  };
  const absl::Duration first = spared_for();
  EXPECT_GE(first, absl::Seconds(1));
  EXPECT_LE(first, absl::Seconds(10));
  for (int i = 0; i < 5; ++i) EXPECT_LE(spared_for(), absl::Seconds(61));
  EXPECT_GE(spared_for(), 2 * first);
}

// A failure alone is no sign of more.
TEST_F(PoolFailuresTest, AFailureAloneSparesTheKeyForASecond) {
  Start(WithoutCooldown(2));
  for (int i = 0; i < 20; ++i) Tell(Get(), Success());
  Tell(GetKey(0, 2), Status(500));
  Pass(absl::Milliseconds(999));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Get().key, 1u);
  Pass(kMs);
  EXPECT_TRUE(Get().key == 0 || Get().key == 0);
}

// Keys of weight 0 are for when there is nothing else.
TEST_F(PoolFailuresTest, ASparedKeyComesBeforeThoseOfWeightZero) {
  PoolSpec spec = WithoutCooldown(3);
  spec.keys[0].max_concurrent = 2;
  spec.keys[1].weight = spec.keys[2].weight = 0;
  Start(spec);
  Tell(GetKey(1, 3), Success());
  Tell(GetKey(0, 3), Status(500));
  Tell(GetKey(1, 3), Success());
  Tell(GetKey(2, 3), Status(500));
  EXPECT_EQ(Get().key, 0u);
  EXPECT_EQ(Get().key, 0u);
  EXPECT_EQ(Get().key, 1u);
  EXPECT_EQ(Get({1}).key, 2u);
}

// They can be granted, if somebody asks for them.
TEST_F(PoolFailuresTest, SparedKeysAreCandidates) {
  Start(WithoutCooldown(3));
  Tell(GetKey(1, 3), Success());
  Tell(GetKey(0, 3), Status(500));
  const Grant grant = Get({1});
  EXPECT_EQ(grant.key, 2u);
  EXPECT_EQ(grant.candidates_left, 1u);
  EXPECT_EQ(Get({1, 2}).key, 0u);
}

// However many there are, and by turns where no other key can be leased.
TEST_F(PoolFailuresTest, AllKeysThatFailAreSpared) {
  constexpr uint32_t kFlaky = 60;
  PoolSpec spec = WithoutCooldown(kFlaky + 1);
  spec.keys[kFlaky].max_concurrent = 1;
  Start(spec);
  for (KeyIndex key = 0; key < kFlaky; ++key) {
    Tell(GetKey(kFlaky, kFlaky + 1), Success());
    Tell(GetKey(key, kFlaky + 1), Status(500));
    EXPECT_EQ(State(key), KeyState::kActive);
  }
  Pass(absl::Milliseconds(900));
  for (int i = 0; i < 10; ++i) {
    const Grant grant = Get();
    EXPECT_EQ(grant.key, kFlaky);
    Tell(grant, Success());
  }
  Get({0});
  for (int round = 0; round < 2; ++round) {
    for (KeyIndex key = 0; key < kFlaky; ++key) EXPECT_EQ(Get().key, key);
  }
}

TEST_F(PoolFailuresTest, ManyFlakyKeysDoLittleWhileOthersCan) {
  constexpr KeyIndex kKeys = 120, kFlaky = 30;
  Start(WithoutCooldown(kKeys));
  constexpr int kCalls = 30'000;
  int failed = 0;
  for (int i = 0; i < kCalls; ++i) {
    Pass(absl::Milliseconds(10));
    const Grant grant = Get();
    const bool fails = grant.key < kFlaky && random_() % 10 < 3;
    failed += fails ? 1 : 0;
    Tell(grant, fails ? Status(500) : Success());
    pool_->TakeTransitions(&told_);
  }
  EXPECT_LE(failed, kCalls / 50);
}

// What the circuit takes the blame for is no fault of theirs.
TEST_F(PoolFailuresTest, AnOutageSparesNobody) {
  PoolSpec spec = WithoutCooldown(3);
  spec.strategy = "fill_first";
  Start(spec);
  for (KeyIndex key = 0; key < 3; ++key) Tell(GetKey(key, 3), Status(500));
  EXPECT_EQ(Circuit(), CircuitState::kOpen);
  Pass(absl::Seconds(2));
  Tell(GetKey(2, 3), Success());
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
  EXPECT_EQ(Get().key, 0u);
}

// Thirty failures at once are one.
TEST_F(PoolFailuresTest, FailuresOfLeasesFromBeforeTheKeyWasSparedAreOldNews) {
  Start(WithoutCooldown(2));
  Tell(GetKey(1, 2), Success());
  std::vector<Grant> grants;
  for (int i = 0; i < 10; ++i) grants.push_back(GetKey(0, 2));
  for (const Grant& grant : grants) Tell(grant, Status(500));
  EXPECT_EQ(State(0), KeyState::kActive);
  EXPECT_EQ(Key(0).consecutive_failures, 1u);
}

TEST_F(PoolFailuresTest, WithoutACooldownTheSecondFailureRestsASecondDoublingToAMinute) {
  PoolSpec spec = WithoutCooldown(2);
  for (KeySpec& key : spec.keys) key.max_failures = 100;
  Start(spec);
  Tell(GetKey(1, 2), Success());
  Tell(GetKey(0, 2), Status(500));
  EXPECT_EQ(State(0), KeyState::kActive);
  Pass(absl::Minutes(1));
  absl::Duration expected = absl::Seconds(1);
  for (int i = 0; i < 9; ++i) {
    Tell(GetKey(1, 2), Success());
    Tell(GetKey(0, 2), Status(500));
    EXPECT_GE(Key(0).available_at, now_ + expected * 0.9);
    EXPECT_LE(Key(0).available_at, now_ + std::min(expected * 1.1, absl::Minutes(1)));
    expected = std::min(2 * expected, absl::Minutes(1));
    GoTo(Key(0).available_at + absl::Minutes(1));
  }
}

TEST_F(PoolFailuresTest, WithoutACooldownADisabledKeyIsTriedAfterTenSeconds) {
  PoolSpec spec = SpecOf(2);
  spec.keys[0].cooldown = std::nullopt;
  spec.keys[0].max_failures = 1;
  Start(spec);
  for (const int seconds : {10, 20, 40}) {
    Tell(GetKey(1, 2), Success());
    Tell(GetKey(0, 2), Status(500));
    EXPECT_EQ(State(0), KeyState::kDisabled);
    EXPECT_EQ(Key(0).available_at, now_ + absl::Seconds(seconds));
    GoTo(Key(0).available_at);
  }
}

// What bounds trials is their share of the calls.
TEST_F(PoolFailuresTest, ADisabledKeyOfABusyPoolIsTriedSooner) {
  PoolSpec spec = WithoutCooldown(2);
  spec.keys[0].max_failures = 1;
  Start(spec);
  const auto serve = [this] {
    for (int i = 0; i < 300; ++i) {
      Pass(absl::Milliseconds(100));
      Tell(Get({0}), Success());
    }
  };
  serve();
  int trials = 0;
  const absl::Time since = now_;
  while (now_ < since + absl::Minutes(10)) {
    Pass(absl::Milliseconds(100));
    const Grant grant = Get();
    trials += grant.key == 0 ? 1 : 0;
    Tell(grant, grant.key == 0 ? Status(500) : Success());
  }
  EXPECT_GE(trials, 20);
  EXPECT_LE(trials, 60);  // of 6000 calls
}

// However many are dead.
TEST_F(PoolFailuresTest, ManyDisabledKeysHaveTheirTrialsFromOneShareOfTheCalls) {
  constexpr KeyIndex kDead = 150;
  PoolSpec spec = WithoutCooldown(2 * kDead);
  for (KeySpec& key : spec.keys) key.max_failures = 1;
  Start(spec);
  constexpr int kCalls = 150'000;
  int trials = 0;
  for (int i = 0; i < kCalls; ++i) {
    Pass(kMs);
    const Grant grant = Get();
    const bool dead = grant.key < kDead;
    if (dead && i > kCalls / 2) ++trials;
    Tell(grant, dead ? Status(500) : Success());
    pool_->TakeTransitions(&told_);
    told_.clear();
  }
  EXPECT_GE(trials, kCalls / 2 / 200);
  EXPECT_LE(trials, kCalls / 2 / 120);
}

// Who has met one that failed is not given the next one.
TEST_F(PoolFailuresTest, WhoTriesAgainGetsADueTrialLast) {
  PoolSpec spec = WithoutCooldown(4);
  for (int i = 0; i < 2; ++i) spec.keys[i].max_failures = 1;
  Start(spec);
  for (KeyIndex key = 0; key < 2; ++key) {
    Tell(Get({0, 1}), Success());
    Tell(GetKey(key, 4), Status(500));
  }
  Pass(absl::Seconds(10));
  EXPECT_FALSE(Get({2}).trial);
  const Grant last = Get({2, 3});
  EXPECT_TRUE(last.trial);
  EXPECT_TRUE(Get().trial);
}

// Those that were disabled before a restart as well.
TEST_F(PoolFailuresTest, ATrialThatSucceedsCallsForThoseThatAStoreRemembers) {
  PoolSpec spec = WithoutCooldown(4);
  Start(spec);
  KeySnapshot saved;
  saved.state = KeyState::kDisabled;
  saved.reason = "failures";
  saved.last_used = saved.last_failure = saved.last_success = absl::InfinitePast();
  for (const char* fingerprint : {"fp0", "fp1", "fp2"}) {
    saved.available_at += saved.available_at < now_ ? now_ - saved.available_at : absl::Minutes(10);
    pool_->Restore(fingerprint, saved, now_);
  }
  const Grant trial = Get();
  EXPECT_EQ(trial.key, 0u);
  EXPECT_FALSE(Get().trial);
  Tell(trial, Success());
  EXPECT_TRUE(Get().trial);
  EXPECT_TRUE(Get().trial);
}

// Keys that failed together are well again together.
TEST_F(PoolFailuresTest, ATrialThatSucceedsCallsForThoseOfOthers) {
  PoolSpec spec = WithoutCooldown(5);
  for (int i = 0; i < 4; ++i) spec.keys[i].max_failures = 1;
  Start(spec);
  for (KeyIndex key = 0; key < 4; ++key) {
    Tell(Get({0, 1, 2, 3}), Success());
    Tell(GetKey(key, 5), Status(500));
    EXPECT_EQ(State(key), KeyState::kDisabled);
    Pass(absl::Seconds(3));
  }
  EXPECT_EQ(Key(0).available_at, now_ - absl::Seconds(2));
  const Grant first = Get();
  EXPECT_EQ(first.key, 0u);
  Tell(first, Success());
  const Grant second = Get(), third = Get();
  EXPECT_TRUE(second.trial && third.trial);
  EXPECT_FALSE(Get().trial);
  Tell(second, Status(500));
  EXPECT_FALSE(Get().trial);
  Tell(third, Success());
  EXPECT_TRUE(Get().trial);
  EXPECT_FALSE(Get().trial);
}

// Not where the provider has said when it is back.
TEST_F(PoolFailuresTest, ATrialIsNotHastenedOverAWordOfTheProviders) {
  PoolSpec spec = WithoutCooldown(3);
  for (int i = 0; i < 2; ++i) spec.keys[i].max_failures = 1;
  Start(spec);
  const Grant early = GetKey(1, 3);
  for (KeyIndex key = 0; key < 2; ++key) {
    Tell(Get({0, 1}), Success());
    Tell(GetKey(key, 3), Status(500));
  }
  Tell(early, Status(429, absl::Minutes(5)));
  const absl::Time told = Key(1).available_at;
  EXPECT_EQ(told, now_ + absl::Minutes(5));
  GoTo(Key(0).available_at);
  const Grant trial = Get();
  EXPECT_EQ(trial.key, 0u);
  Tell(trial, Success());
  EXPECT_EQ(State(0), KeyState::kActive);
  EXPECT_EQ(Key(1).available_at, told);
}

// Nor over a cooldown that is set.
TEST_F(PoolFailuresTest, ATrialIsNotHastenedOverACooldown) {
  PoolSpec spec = WithoutCooldown(3);
  spec.keys[1].cooldown = absl::Minutes(5);
  for (int i = 0; i < 2; ++i) spec.keys[i].max_failures = 1;
  Start(spec);
  for (const KeyIndex key : {1, 0}) {
    Tell(Get({0, 1}), Success());
    Tell(GetKey(key, 3), Status(500));
  }
  const absl::Time due = Key(1).available_at;
  EXPECT_EQ(due, now_ + absl::Minutes(10));
  GoTo(Key(0).available_at);
  const Grant trial = Get();
  EXPECT_EQ(trial.key, 0u);
  Tell(trial, Success());
  EXPECT_EQ(Key(1).available_at, due);
}

// A key that is refused no more says nothing of those that failed.
TEST_F(PoolFailuresTest, ARefusedKeysReturnHastensNoTrial) {
  PoolSpec spec = WithoutCooldown(3);
  spec.keys[0].probe_interval = absl::ZeroDuration();
  spec.keys[1].max_failures = 1;
  Start(spec);
  const Grant refused = GetKey(0, 3);
  Tell(refused, Status(401));
  const std::vector<KeyIndex> tried = {0};
  Pool::LeaseArgs retry{.id = NewId(), .excluded = tried, .retry_of = refused.id};
  Tell(std::get<Grant>(pool_->Lease(retry, now_, random_)), Success());
  EXPECT_EQ(Key(0).reason, "auth");
  GoTo(Key(0).available_at - absl::Seconds(5));
  Tell(GetKey(2, 3), Success());
  Tell(GetKey(1, 3), Status(500));
  const absl::Time due = Key(1).available_at;
  EXPECT_EQ(due, now_ + absl::Seconds(10));
  GoTo(Key(0).available_at);
  const Grant trial = Get();
  EXPECT_EQ(trial.key, 0u);
  Tell(trial, Success());
  EXPECT_EQ(State(0), KeyState::kActive);
  EXPECT_EQ(Key(1).available_at, due);
}

}  // namespace
}  // namespace ccr::core
