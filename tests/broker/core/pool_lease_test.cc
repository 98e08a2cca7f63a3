// Leases: limits, ends, owners.
#include "tests/broker/core/pool_fixture.h"

namespace ccr::core {
namespace {

using PoolLeaseTest = PoolTest;

TEST_F(PoolLeaseTest, KeysTakeTurns) {
  Start(SpecOf(3));
  std::vector<int> uses(3);
  for (int i = 0; i < 300; ++i) {
    const Grant grant = Get();
    ++uses[grant.key];
    EXPECT_EQ(grant.candidates_left, 2u);
    Tell(grant, Success());
  }
  EXPECT_EQ(uses, (std::vector<int>{100, 100, 100}));
}

TEST_F(PoolLeaseTest, ExcludedKeysAreLeftOut) {
  Start(SpecOf(3));
  EXPECT_EQ(Get({0, 2, 2, 77}).key, 1u);
  EXPECT_EQ(Get({0, 2}).candidates_left, 0u);
  const Refusal refusal = Refused({0, 1, 2});
  EXPECT_EQ(refusal.why, Refusal::Why::kNoneAvailable);
  EXPECT_EQ(refusal.retry_at, absl::InfiniteFuture());
}

TEST_F(PoolLeaseTest, RefusalNamesTheEarliestReturnOfAKeyThatIsNotExcluded) {
  Start(SpecOf(3));
  for (KeyIndex key : {0, 1, 2}) Tell(GetKey(key, 3), Status(429, absl::Seconds(10 * (key + 1))));
  EXPECT_EQ(Refused().retry_at, now_ + absl::Seconds(10));
  EXPECT_EQ(Refused({0}).retry_at, now_ + absl::Seconds(20));
  EXPECT_EQ(Refused({0, 1}).retry_at, now_ + absl::Seconds(30));
}

TEST_F(PoolLeaseTest, MaxConcurrentOfAKey) {
  PoolSpec spec = SpecOf(2);
  spec.keys[0].max_concurrent = 2;
  Start(spec);
  const Grant first = GetKey(0, 2);
  GetKey(0, 2);
  EXPECT_EQ(Refused({1}).retry_at, now_ + absl::Seconds(1));
  EXPECT_EQ(Get().key, 1u);
  Tell(first, Success());
  GetKey(0, 2);
  Refused({1});
}

TEST_F(PoolLeaseTest, MaxConcurrentOfThePool) {
  PoolSpec spec = SpecOf(2);
  spec.max_concurrent = 3;
  Start(spec);
  const Grant first = Get();
  Get();
  EXPECT_EQ(Get().candidates_left, 0u);
  EXPECT_EQ(Refused().retry_at, now_ + absl::Seconds(1));
  EXPECT_FALSE(Key(0).available);
  pool_->Release(first.id, now_);
  Get();
}

TEST_F(PoolLeaseTest, RpmOfAKeyIsASlidingWindow) {
  PoolSpec spec = SpecOf(1);
  spec.keys[0].limits.rpm = 3;
  Start(spec);
  const absl::Time start = now_;
  Tell(Get(), Success());
  Pass(absl::Seconds(30));
  Tell(Get(), Success());
  Tell(Get(), Success());
  EXPECT_EQ(Key(0).used.rpm, 3u);
  EXPECT_EQ(Refused().retry_at, start + absl::Seconds(61));
  EXPECT_EQ(Refused().reason, kOwnLimits);
  EXPECT_EQ(Key(0).rate_allows_at, start + absl::Seconds(61));
  EXPECT_EQ(Key(0).available_at, absl::InfinitePast());
  GoTo(start + absl::Milliseconds(60'999));
  Refused();
  GoTo(start + absl::Milliseconds(61'000));
  EXPECT_EQ(Key(0).rate_allows_at, absl::InfinitePast());
  Tell(Get(), Success());
  EXPECT_EQ(Refused().retry_at, start + absl::Seconds(91));
  GoTo(start + absl::Seconds(91));
  Get();
  Get();
  Refused();
}

TEST_F(PoolLeaseTest, RpmOfThePool) {
  PoolSpec spec = SpecOf(3);
  spec.limits.rpm = 4;
  Start(spec);
  const absl::Time start = now_;
  for (int i = 0; i < 4; ++i) Get();
  EXPECT_EQ(Refused().retry_at, start + absl::Seconds(61));
  GoTo(start + absl::Milliseconds(60'999));
  Refused();
  GoTo(start + absl::Seconds(61));
  for (int i = 0; i < 4; ++i) Get();
  Refused();
}

TEST_F(PoolLeaseTest, ALeaseExpiresAtItsTtlAndGivesItsPlaceBack) {
  PoolSpec spec = SpecOf(1);
  spec.keys[0].max_concurrent = 1;
  Start(spec);
  const Grant grant = Get();
  EXPECT_EQ(pool_->NextDue(), now_ + absl::Minutes(10));
  Pass(absl::Milliseconds(599'999));
  Refused();
  Pass(1 * kMs);
  const PoolSnapshot snapshot = pool_->Snapshot(now_);
  EXPECT_EQ(snapshot.in_flight, 0u);
  EXPECT_EQ(snapshot.expired, 1u);
  EXPECT_EQ(Tell(grant, Status(401)).disposition, Disposition::kLate);
  EXPECT_EQ(State(0), KeyState::kActive);
}

TEST_F(PoolLeaseTest, RenewExtends) {
  Start(SpecOf(1));
  const Grant grant = Get();
  Pass(absl::Minutes(9));
  EXPECT_TRUE(pool_->Renew(grant.id, now_));
  Pass(absl::Milliseconds(599'999));
  EXPECT_EQ(Key(0).in_flight, 1u);
  Pass(1 * kMs);
  EXPECT_EQ(Key(0).in_flight, 0u);
  EXPECT_FALSE(pool_->Renew(grant.id, now_));
}

TEST_F(PoolLeaseTest, AReportCountsOnce) {
  Start(SpecOf(2));
  const Grant grant = Get();
  EXPECT_EQ(Tell(grant, Status(500)).disposition, Disposition::kApplied);
  const Decision again = Tell(grant, Status(401));
  EXPECT_EQ(again.disposition, Disposition::kDuplicate);
  EXPECT_EQ(again.key, kNoKey);
  EXPECT_EQ(again.advice, Advice::kRotate);
  EXPECT_EQ(Key(0).consecutive_failures, 1u);
  EXPECT_FALSE(pool_->Release(grant.id, now_));
  EXPECT_EQ(Tell({NewId()}, Success()).disposition, Disposition::kLate);
  const PoolSnapshot snapshot = pool_->Snapshot(now_);
  EXPECT_EQ(snapshot.acquired, 1u);
  EXPECT_EQ(snapshot.reported, 1u);
}

TEST_F(PoolLeaseTest, ReleasedLeasesCountAsEndedWithoutReport) {
  Start(SpecOf(2));
  const Grant grant = Get();
  EXPECT_TRUE(pool_->Release(grant.id, now_));
  EXPECT_FALSE(pool_->Release(grant.id, now_));
  EXPECT_EQ(Tell(grant, Success()).disposition, Disposition::kLate);
  EXPECT_EQ(pool_->Snapshot(now_).expired, 1u);
  EXPECT_EQ(Key(0).successes, 0u);
}

TEST_F(PoolLeaseTest, OrphansEndAtTheDeadlineUnlessReasserted) {
  Start(SpecOf(2));
  const Grant lost = Get({}, 5);
  const Grant kept = Get({}, 5);
  const Grant other = Get({}, 6);
  pool_->Orphan(5, now_ + absl::Seconds(5), now_);
  EXPECT_EQ(pool_->Snapshot(now_).in_flight, 3u);
  EXPECT_TRUE(pool_->Reassert(kept.id, 7, pool_->key(kept.key).fingerprint, now_));
  Pass(absl::Milliseconds(4'999));
  EXPECT_EQ(pool_->Snapshot(now_).in_flight, 3u);
  Pass(1 * kMs);
  EXPECT_EQ(pool_->Snapshot(now_).in_flight, 2u);
  EXPECT_FALSE(pool_->Reassert(lost.id, 7, pool_->key(lost.key).fingerprint, now_));
  EXPECT_EQ(Tell(lost, Success()).disposition, Disposition::kLate);
  EXPECT_EQ(Tell(kept, Success()).disposition, Disposition::kApplied);
  EXPECT_EQ(Tell(other, Success()).disposition, Disposition::kApplied);
}

TEST_F(PoolLeaseTest, LeasesOfAnEarlierRunCanBeReasserted) {
  PoolSpec spec = SpecOf(2);
  spec.keys[0].max_concurrent = 1;
  Start(spec);
  const Grant grant = GetKey(0, 2);
  epoch_ = 2;
  Start(spec);
  GetKey(0, 2);
  EXPECT_TRUE(pool_->Reassert(grant.id, 9, "fp0", now_));
  EXPECT_FALSE(pool_->Reassert({1, 1, 8, 8}, 9, "unknown", now_));
  EXPECT_EQ(Key(0).in_flight, 2u);
  EXPECT_EQ(pool_->Snapshot(now_).acquired, 2u);
  Refused({1});
  EXPECT_EQ(Tell(grant, Success()).disposition, Disposition::kApplied);
  Refused({1});
  EXPECT_FALSE(pool_->Reassert(grant.id, 9, "fp0", now_));
}

TEST_F(PoolLeaseTest, AReassertedLeaseThatFailsDoesNotEscalate) {
  Start(SpecOf(3));
  Tell(Get(), Status(500));
  const KeySnapshot saved = Key(0);
  Start(SpecOf(3));
  pool_->Restore("fp0", saved, now_);
  EXPECT_TRUE(pool_->Reassert({1, 1, 8, 8}, 9, "fp0", now_));
  pool_->Apply({{1, 1, 8, 8}, Status(500), 0, 0}, now_, random_);
  EXPECT_EQ(Key(0).consecutive_failures, 1u);
  EXPECT_EQ(Key(0).available_at, saved.available_at);
}

TEST_F(PoolLeaseTest, SuccessIsRecorded) {
  Start(SpecOf(1));
  Evidence evidence = Success();
  evidence.input_tokens = 10;
  evidence.output_tokens = 20;
  Tell(Get(), evidence);
  EXPECT_EQ(Key(0).latency, absl::Milliseconds(200));
  EXPECT_EQ(Key(0).input_tokens, 10u);
  EXPECT_EQ(Key(0).output_tokens, 20u);
  EXPECT_EQ(Key(0).last_success, now_);
  EXPECT_EQ(Key(0).last_used, now_);
  EXPECT_EQ(Key(0).last_failure, absl::InfinitePast());
}

}  // namespace
}  // namespace ccr::core
