// What changes of the configuration and restarts leave of a key.
#include <algorithm>

#include "tests/broker/core/pool_fixture.h"

namespace ccr::core {
namespace {

using PoolConfigTest = PoolTest;

TEST_F(PoolConfigTest, WeightZeroIsForWhenNothingElseIsLeft) {
  PoolSpec spec = SpecOf(3);
  spec.keys[0].weight = 0;
  Start(spec);
  for (int i = 0; i < 10; ++i) EXPECT_NE(Get().key, 0u);
  EXPECT_EQ(Get({1, 2}).key, 0u);
  Tell(GetKey(1, 3), Status(429, absl::Seconds(10)));
  Tell(GetKey(2, 3), Status(429, absl::Seconds(20)));
  EXPECT_EQ(Get().key, 0u);
  Pass(absl::Seconds(10));
  EXPECT_EQ(Get().key, 1u);
}

TEST_F(PoolConfigTest, KeysKeepTheirStateByFingerprintAndTakeTheNewOrder) {
  Start(SpecOf(3));
  Tell(GetKey(1, 3), Status(429, absl::Hours(1)));
  const Grant grant = GetKey(2, 3);
  PoolSpec spec = SpecOf(3);
  std::swap(spec.keys[0], spec.keys[1]);
  spec.keys[2].name = "renamed";
  pool_->Reconfigure(spec, now_);
  const PoolSnapshot snapshot = pool_->Snapshot(now_);
  EXPECT_EQ(snapshot.keys[0].state, KeyState::kCooling);
  EXPECT_EQ(snapshot.keys[0].key, pool_->Find("fp1"));
  EXPECT_EQ(snapshot.keys[2].in_flight, 1u);
  EXPECT_EQ(pool_->key(pool_->Find("fp2")).name, "renamed");
  EXPECT_EQ(Tell(grant, Success()).disposition, Disposition::kApplied);
}

TEST_F(PoolConfigTest, LeasesOfRemovedKeysStayValidAndCount) {
  Start(SpecOf(2));
  const Grant grant = GetKey(1, 2);
  pool_->Reconfigure(SpecOf(1), now_);
  EXPECT_EQ(pool_->Find("fp1"), kNoKey);
  EXPECT_EQ(pool_->Snapshot(now_).in_flight, 1u);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Get().key, 0u);
  EXPECT_TRUE(pool_->Renew(grant.id, now_));
  EXPECT_EQ(Tell(grant, Success()).disposition, Disposition::kApplied);
  EXPECT_EQ(pool_->Snapshot(now_).in_flight, 5u);
}

TEST_F(PoolConfigTest, AKeyThatComesBackBeforeItsLeasesEndIsTheSame) {
  PoolSpec spec = SpecOf(2);
  spec.keys[1].max_concurrent = 2;
  Start(spec);
  const Grant held = GetKey(1, 2);
  Tell(GetKey(1, 2), Status(429, absl::Seconds(10)));
  pool_->Reconfigure(SpecOf(1), now_);
  Pass(absl::Seconds(9));
  pool_->Reconfigure(spec, now_);
  EXPECT_EQ(pool_->Find("fp1"), held.key);
  EXPECT_EQ(State(1), KeyState::kCooling);
  EXPECT_EQ(Key(1).in_flight, 1u);
  pool_->Reconfigure(SpecOf(1), now_);
  Pass(absl::Seconds(9));
  pool_->Reconfigure(spec, now_);
  EXPECT_EQ(State(1), KeyState::kActive);
  GetKey(1, 2);
  Refused({0});
}

TEST_F(PoolConfigTest, AKeyThatComesBackAfterwardsIsTheOneItWas) {
  Start(SpecOf(2));
  Disable(1, 2);
  const KeySnapshot before = Key(1);
  pool_->Reconfigure(SpecOf(1), now_);
  EXPECT_EQ(pool_->Find("fp1"), kNoKey);
  EXPECT_EQ(pool_->Describe(1)->failures, 1u);
  pool_->Reconfigure(SpecOf(2), now_);
  EXPECT_EQ(State(1), KeyState::kDisabled);
  EXPECT_EQ(Key(1).available_at, before.available_at);
  EXPECT_EQ(Key(1).uses, 1u);
}

TEST_F(PoolConfigTest, TheKeysRemovedLastAreRememberedUpToABound) {
  constexpr uint32_t kRemembered = 16'384;
  Start(SpecOf(kRemembered + 2));
  for (const KeyIndex key : {1, 2, 3}) Tell(GetKey(key, 4), Status(429, absl::Hours(1)));
  PoolSpec first = SpecOf(1);
  pool_->Reconfigure(first, now_);  // one more than there is room for: fp1 left first
  EXPECT_EQ(pool_->Describe(1), std::nullopt);
  pool_->Reconfigure(SpecOf(4), now_);
  EXPECT_EQ(State(1), KeyState::kActive);
  EXPECT_EQ(State(2), KeyState::kCooling);
  pool_->Reconfigure(first, now_);
  pool_->Reconfigure(SpecOf(4), now_);
  EXPECT_EQ(State(2), KeyState::kCooling);
  EXPECT_EQ(State(3), KeyState::kCooling);
}

TEST_F(PoolConfigTest, WhatIsRestoredIsCutToWhatARuleCouldHaveSet) {
  const absl::Time far = now_ + absl::Hours(24 * 365);
  struct Case {
    KeyState state;
    const char* reason;
    absl::Duration most;
  };
  for (const Case& c :
       {Case{KeyState::kCooling, "rate_limited", absl::Hours(24)},
        Case{KeyState::kCooling, "quota_window", absl::Hours(24 * 365)},
        Case{KeyState::kCooling, "insufficient_quota", absl::Hours(24)},
        Case{KeyState::kCooling, "http_402", absl::Hours(24)}, Case{KeyState::kCooling, "http_500", absl::Minutes(30)},
        Case{KeyState::kCooling, "connect_error", absl::Minutes(30)},
        Case{KeyState::kCooling, "what is this", absl::Minutes(30)},
        Case{KeyState::kDisabled, "failures", absl::Hours(24)}, Case{KeyState::kDisabled, "auth", absl::Hours(24)}}) {
    SCOPED_TRACE(c.reason);
    Start(SpecOf(1));
    KeySnapshot saved = Key(0);
    saved.state = c.state;
    saved.reason = c.reason;
    saved.available_at = saved.last_used = saved.last_failure = saved.last_success = far;
    pool_->Restore("fp0", saved, now_);
    EXPECT_EQ(State(0), c.state);
    EXPECT_EQ(Key(0).available_at, now_ + c.most);
    EXPECT_EQ(Key(0).last_used, now_);
    EXPECT_EQ(Key(0).last_failure, now_);
    EXPECT_EQ(Key(0).last_success, now_);
    saved.available_at = now_ + absl::Minutes(10);
    Start(SpecOf(1));
    pool_->Restore("fp0", saved, now_);
    EXPECT_EQ(Key(0).available_at, now_ + absl::Minutes(10));
  }
}

// Keys and strategy change in small steps while leases come and go: only keys of one of the two configurations are
// granted, sums hold, and in the end all is as after a change at once.
TEST_F(PoolConfigTest, AChangeInStepsEndsAsOneAtOnce) {
  const std::vector<std::string> strategies = {"random",          "weighted",       "least_used", "round_robin",
                                               "least_in_flight", "lowest_latency", "fill_first"};
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    random_.seed(seed);
    const auto below = [&](uint32_t n) { return static_cast<uint32_t>(random_() % n); };
    const auto random_spec = [&] {
      PoolSpec spec = SpecOf(12, strategies[below(7)]);
      std::shuffle(spec.keys.begin(), spec.keys.end(), random_);
      spec.keys.resize(1 + below(12));
      for (KeySpec& key : spec.keys) key.weight = below(4);
      spec.limits.rpm = below(2) * 1000;
      return spec;
    };
    Start(random_spec());
    std::vector<Grant> held;
    for (int change_number = 0; change_number < 4; ++change_number) {
      const PoolSpec before = pool_->spec();
      const PoolSpec after = random_spec();
      const auto has = [](const PoolSpec& spec, const std::string& fingerprint) {
        return std::any_of(spec.keys.begin(), spec.keys.end(),
                           [&](const KeySpec& key) { return key.fingerprint == fingerprint; });
      };
      const auto turn = [&](bool numbering) {
        Pass(1 * kMs);
        if (const LeaseResult result = Ask(); std::holds_alternative<Grant>(result)) {
          held.push_back(std::get<Grant>(result));
          const std::string& fingerprint = pool_->key(held.back().key).fingerprint;
          EXPECT_TRUE(has(before, fingerprint) || (!numbering && has(after, fingerprint))) << fingerprint;
        }
        if (held.empty() || below(3) == 0) return;
        const size_t which = below(static_cast<uint32_t>(held.size()));
        EXPECT_EQ(Tell(held[which], below(4) == 0 ? Status(429, absl::Seconds(1)) : Success()).disposition,
                  Disposition::kApplied);
        held.erase(held.begin() + static_cast<ptrdiff_t>(which));
      };
      Reconfiguration change(after);
      while (!pool_->Number(&change, 1 + below(4), now_)) turn(/*numbering=*/true);
      turn(/*numbering=*/true);
      while (!pool_->Adopt(&change, 1 + below(4), now_)) turn(/*numbering=*/false);
      ASSERT_EQ(pool_->spec().keys.size(), after.keys.size());
      const PoolSnapshot snapshot = pool_->Snapshot(now_);
      ASSERT_EQ(snapshot.keys.size(), after.keys.size());
      EXPECT_EQ(snapshot.in_flight, held.size());
      EXPECT_EQ(snapshot.acquired, snapshot.reported + snapshot.expired + snapshot.in_flight);
      for (size_t i = 0; i < after.keys.size(); ++i) {
        EXPECT_EQ(pool_->Find(after.keys[i].fingerprint), snapshot.keys[i].key);
        EXPECT_EQ(pool_->key(snapshot.keys[i].key).weight, after.keys[i].weight);
      }
      for (const KeySpec& key : before.keys) {
        if (!has(after, key.fingerprint)) EXPECT_EQ(pool_->Find(key.fingerprint), kNoKey);
      }
    }
  }
}

TEST_F(PoolConfigTest, ANewKeyMayFailBeforeAllAreAdopted) {
  Start(SpecOf(1));
  Reconfiguration change(SpecOf(3000));
  while (!pool_->Number(&change, 100, now_)) {
  }
  KeyIndex greatest = 0;
  while (!pool_->Adopt(&change, 100, now_)) {
    Pass(40 * kMs);
    for (int i = 0; i < 100; ++i) {
      const Grant grant = Get();
      greatest = std::max(greatest, grant.key);
      Tell(grant, grant.key % 50 == 0 ? Status(500) : Success());
    }
  }
  EXPECT_GT(greatest, 1000u);
}

// Each step does, and tells, what a hundred keys need, whatever the change asks of all.
TEST_F(PoolConfigTest, AnotherAccessIsTakenUpInSteps) {
  constexpr uint32_t kKeys = 2000;
  constexpr size_t kStep = 100;
  PoolSpec spec = SpecOf(kKeys);
  Start(spec);
  KeySnapshot disabled;
  disabled.state = KeyState::kDisabled;
  disabled.reason = "auth";
  disabled.available_at = now_ + absl::Hours(1);
  for (uint32_t key = 1; key < kKeys; ++key) pool_->Restore(key, disabled, now_);
  const Grant old = Get();
  std::vector<Transition> transitions;
  pool_->TakeTransitions(&transitions);
  spec.access = 1;
  Reconfiguration change(spec);
  size_t steps = 0;
  size_t told = 0;
  for (bool numbered = false, adopted = false; !adopted; ++steps) {
    adopted = numbered && pool_->Adopt(&change, kStep, now_);
    if (!numbered) numbered = pool_->Number(&change, kStep, now_);
    pool_->TakeTransitions(&transitions);
    EXPECT_LE(transitions.size(), 2 * kStep);
    told += transitions.size();
    Pass(1 * kMs);
    Tell(Get(), Success());
    pool_->TakeTransitions(&transitions);
  }
  EXPECT_GE(steps, 3 * kKeys / kStep);
  EXPECT_EQ(told, kKeys - 1) << "one for each disabled key: its probe is due";
  const PoolSnapshot snapshot = pool_->Snapshot(now_);
  for (uint32_t key = 1; key < kKeys; ++key) ASSERT_LE(snapshot.keys[key].available_at, now_);
  EXPECT_EQ(Tell(old, Status(401)).disposition, Disposition::kApplied);
  EXPECT_EQ(State(0), KeyState::kActive) << "a refusal of the earlier access";
}

TEST_F(PoolConfigTest, LimitsAndStrategyChangeWithLeasesOut) {
  for (const char* strategy :
       {"random", "weighted", "least_used", "least_in_flight", "lowest_latency", "fill_first", "round_robin"}) {
    SCOPED_TRACE(strategy);
    Start(SpecOf(3));
    std::vector<Grant> grants;
    for (int i = 0; i < 9; ++i) grants.push_back(Get());
    PoolSpec spec = SpecOf(3, strategy);
    for (KeySpec& key : spec.keys) key.max_concurrent = 3;
    spec.keys[2].weight = 0;
    pool_->Reconfigure(spec, now_);
    Refused();
    for (const Grant& grant : grants) Tell(grant, Success());
    for (int i = 0; i < 9; ++i) Get();
    Refused();
  }
}

TEST_F(PoolConfigTest, ARestartTakesOverWhatTheStoreRemembers) {
  PoolSpec spec = SpecOf(5);
  spec.keys[2].max_failures = 1;
  spec.keys[3].limits.rpm = 2;
  Start(spec);
  Disable(1, 5);
  GoTo(absl::FromUnixSeconds(absl::ToUnixSeconds(now_) + 1));
  Tell(GetKey(0, 5), Status(429, absl::Hours(1)));
  Tell(GetKey(2, 5), Status(500));
  Tell(GetKey(3, 5), Success());
  Tell(GetKey(3, 5), Success());
  const PoolSnapshot before = pool_->Snapshot(now_);
  Pass(absl::Seconds(20));
  Start(spec);
  for (KeyIndex key = 0; key < 5; ++key) {
    KeySnapshot saved = before.keys[key];
    const std::string reason(saved.reason);
    saved.reason = reason;
    pool_->Restore("fp" + std::to_string(key), saved, now_);
  }
  pool_->Restore("unknown", before.keys[0], now_);
  for (KeyIndex key = 0; key < 5; ++key) {
    EXPECT_EQ(Key(key).state, before.keys[key].state);
    EXPECT_EQ(Key(key).reason, before.keys[key].reason);
    EXPECT_EQ(Key(key).available_at, before.keys[key].available_at);
    EXPECT_EQ(Key(key).uses, before.keys[key].uses);
    EXPECT_EQ(Key(key).consecutive_failures, before.keys[key].consecutive_failures);
  }
  EXPECT_EQ(Get({0, 1, 2}).key, 4u);
  EXPECT_EQ(Refused({0, 1, 2, 4}).retry_at, now_ + absl::Seconds(41));
  Pass(absl::Seconds(41));
  EXPECT_EQ(GetKey(3, 5).key, 3u);
  GoTo(before.keys[2].available_at);
  EXPECT_TRUE(Get().trial);
}

TEST_F(PoolConfigTest, ACooldownThatEndedWhileTheBrokerWasAwayIsOver) {
  Start(SpecOf(1));
  Tell(Get(), Status(429, absl::Seconds(10)));
  const KeySnapshot saved = Key(0);
  Pass(absl::Seconds(10));
  Start(SpecOf(1));
  pool_->Restore("fp0", saved, now_);
  EXPECT_EQ(State(0), KeyState::kActive);
  Get();
}

TEST_F(PoolConfigTest, ThePoolsRpmHoldsOverARestart) {
  PoolSpec spec = SpecOf(2);
  spec.limits.rpm = 2;
  Start(spec);
  Get();
  Get();
  const PoolSnapshot before = pool_->Snapshot(now_);
  Pass(absl::Seconds(30));
  Start(spec);
  for (KeyIndex key : {0, 1}) pool_->Restore("fp" + std::to_string(key), before.keys[key], now_);
  Refused();
  Pass(absl::Seconds(31));
  Get();
}

TEST_F(PoolConfigTest, TimeNeverGoesBack) {
  Start(SpecOf(1));
  Tell(Get(), Status(429, absl::Seconds(10)));
  Pass(absl::Seconds(10));
  EXPECT_EQ(State(0), KeyState::kActive);
  Pass(-absl::Hours(1));
  EXPECT_EQ(State(0), KeyState::kActive);
  Get();
}

}  // namespace
}  // namespace ccr::core
