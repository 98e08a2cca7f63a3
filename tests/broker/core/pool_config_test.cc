// What changes of the configuration and restarts leave of a key.
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

TEST_F(PoolConfigTest, AKeyThatComesBackAfterwardsIsNew) {
  Start(SpecOf(2));
  Tell(GetKey(1, 2), Status(401));
  pool_->Reconfigure(SpecOf(1), now_);
  pool_->Reconfigure(SpecOf(2), now_);
  EXPECT_EQ(State(1), KeyState::kActive);
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
  spec.keys[3].rpm = 2;
  Start(spec);
  Tell(GetKey(0, 5), Status(429, absl::Hours(1)));
  Tell(GetKey(1, 5), Status(401));
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
  spec.rpm = 2;
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
