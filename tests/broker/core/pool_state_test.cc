// A key's life: what evidence does to it, and when it comes back.
#include "tests/broker/core/pool_fixture.h"

namespace ccr::core {
namespace {

using PoolStateTest = PoolTest;

// +-10 %
testing::AssertionResult IsAbout(absl::Duration actual, absl::Duration expected) {
  if (actual >= expected * 0.9 && actual <= expected * 1.1) return testing::AssertionSuccess();
  return testing::AssertionFailure() << absl::FormatDuration(actual) << " is not about "
                                     << absl::FormatDuration(expected);
}

struct StateRow {
  const char* name;
  Evidence evidence;
  KeyState state;
  std::string reason;
  Advice advice;
  uint32_t failures;
};

TEST_F(PoolStateTest, WhatOneReportDoes) {
  Evidence quota = Status(429);
  quota.error_code = "insufficient_quota";
  const std::vector<StateRow> rows = {
      {"success", Success(), KeyState::kActive, "", Advice::kRelay, 0},
      {"400", Status(400), KeyState::kActive, "", Advice::kRotate, 0},
      {"404", Status(404), KeyState::kActive, "", Advice::kRotate, 0},
      {"422", Status(422), KeyState::kActive, "", Advice::kRelay, 0},
      {"401", Status(401), KeyState::kCooling, "auth_suspected", Advice::kRotate, 0},
      {"403", Status(403), KeyState::kCooling, "permission_suspected", Advice::kRotate, 0},
      {"402", Status(402), KeyState::kCooling, "http_402", Advice::kRotate, 0},
      {"quota", quota, KeyState::kCooling, "insufficient_quota", Advice::kRotate, 0},
      {"429", Status(429), KeyState::kCooling, "rate_limited", Advice::kRotate, 0},
      {"429 now", Status(429, absl::ZeroDuration()), KeyState::kActive, "", Advice::kRotate, 0},
      {"503", Status(503), KeyState::kActive, "", Advice::kRetry, 0},
      {"529", Status(529), KeyState::kActive, "", Advice::kRetry, 0},
      {"500", Status(500), KeyState::kCooling, "http_500", Advice::kRetry, 1},
      {"cancelled", Cancelled(), KeyState::kActive, "", Advice::kRelay, 0},
  };
  for (const StateRow& row : rows) {
    SCOPED_TRACE(row.name);
    Start(SpecOf(4));
    const Decision decision = Tell(Get(), row.evidence);
    EXPECT_EQ(decision.disposition, Disposition::kApplied);
    EXPECT_EQ(decision.advice, row.advice);
    EXPECT_EQ(decision.key, 0u);
    EXPECT_EQ(Key(0).state, row.state);
    EXPECT_EQ(Key(0).reason, row.reason);
    EXPECT_EQ(Key(0).consecutive_failures, row.failures);
    EXPECT_EQ(Key(0).available, row.state == KeyState::kActive);
    EXPECT_EQ(Key(0).in_flight, 0u);
  }
}

TEST_F(PoolStateTest, AWindowOfQuotaRestsItsKeyUntilItsEnd) {
  for (const absl::Duration wait : {absl::Minutes(5), absl::Hours(40), absl::Hours(24 * 30)}) {
    Start(SpecOf(2));
    Evidence evidence = Status(429, wait);
    evidence.quota_window = true;
    EXPECT_EQ(Tell(GetKey(0, 2), evidence).outcome, Outcome::kQuota);
    EXPECT_EQ(Key(0).available_at, now_ + wait);
    const KeySnapshot saved = Key(0);
    Start(SpecOf(2));
    pool_->Restore("fp0", saved, now_);
    EXPECT_EQ(Key(0).available_at, now_ + wait) << "over a restart";
  }
}

TEST_F(PoolStateTest, RetryAfterIsObeyedToTheMillisecond) {
  Start(SpecOf(1));
  Tell(Get(), Status(429, absl::Seconds(10)));
  Pass(9'999 * kMs);
  EXPECT_EQ(State(0), KeyState::kCooling);
  EXPECT_EQ(Refused().retry_at, now_ + 1 * kMs);
  Pass(1 * kMs);
  EXPECT_EQ(State(0), KeyState::kActive);
  Get();
}

TEST_F(PoolStateTest, RetryAfterIsCappedAtADay) {
  Start(SpecOf(1));
  Tell(Get(), Status(429, absl::Hours(1'000)));
  EXPECT_EQ(Key(0).available_at, now_ + absl::Hours(24));
}

TEST_F(PoolStateTest, RateLimitsWithoutRetryAfterBackOffExponentially) {
  Start(SpecOf(1));
  for (int minutes : {1, 2, 4, 8, 16, 30, 30}) {
    Tell(Get(), Status(429));
    EXPECT_EQ(Key(0).available_at, now_ + absl::Minutes(minutes));
    Pass(absl::Minutes(minutes));
  }
  EXPECT_EQ(Key(0).consecutive_failures, 0u);
  Tell(Get(), Success());
  Tell(Get(), Status(429));
  EXPECT_EQ(Key(0).available_at, now_ + absl::Minutes(1));
}

TEST_F(PoolStateTest, QuotaCoolsForHoursAndALongerRetryAfterWins) {
  Start(SpecOf(1));
  for (int hours : {1, 2, 4, 8, 16, 24, 24}) {
    Tell(Get(), Status(402));
    EXPECT_EQ(Key(0).available_at, now_ + absl::Hours(hours));
    Pass(absl::Hours(hours));
  }
  Tell(Get(), Success());
  Tell(Get(), Status(402, absl::Hours(5)));
  EXPECT_EQ(Key(0).available_at, now_ + absl::Hours(5));
}

TEST_F(PoolStateTest, FailuresDoubleTheCooldownAndThenDisable) {
  Start(SpecOf(4));
  Tell(GetKey(0, 4), Status(500));
  EXPECT_TRUE(IsAbout(Key(0).available_at - now_, absl::Minutes(1)));
  GoTo(Key(0).available_at);
  Tell(GetKey(0, 4), Status(502));
  EXPECT_TRUE(IsAbout(Key(0).available_at - now_, absl::Minutes(2)));
  GoTo(Key(0).available_at);
  Tell(GetKey(0, 4), Status(504));
  EXPECT_EQ(State(0), KeyState::kDisabled);
  EXPECT_EQ(Key(0).reason, "failures");
  EXPECT_EQ(Key(0).available_at, now_ + absl::Minutes(2));
}

TEST_F(PoolStateTest, ASuccessStartsTheCountAgain) {
  Start(SpecOf(4));
  for (int i = 0; i < 5; ++i) {
    Tell(GetKey(0, 4), Status(500));
    GoTo(Key(0).available_at);
    EXPECT_EQ(Key(0).consecutive_failures, 1u);
    Tell(GetKey(0, 4), Success());
    EXPECT_EQ(Key(0).consecutive_failures, 0u);
  }
  EXPECT_EQ(Key(0).failures, 5u);
  EXPECT_EQ(Key(0).successes, 5u);
}

TEST_F(PoolStateTest, ThirtyConcurrentFailuresAreOne) {
  Start(SpecOf(4));
  std::vector<Grant> grants;
  for (int i = 0; i < 30; ++i) grants.push_back(GetKey(0, 4));
  Tell(grants[0], Status(500));
  const absl::Time until = Key(0).available_at;
  for (int i = 1; i < 20; ++i) Tell(grants[i], Status(500));
  EXPECT_EQ(Key(0).consecutive_failures, 1u);
  EXPECT_EQ(Key(0).available_at, until);
  GoTo(until + absl::Seconds(1));  // the rest comes when the cooldown is over
  for (int i = 20; i < 30; ++i) Tell(grants[i], Status(500));
  EXPECT_EQ(State(0), KeyState::kActive);
  EXPECT_EQ(Key(0).consecutive_failures, 1u);
}

TEST_F(PoolStateTest, StaleRateLimitsOnlyMoveTheEndToALaterRetryAfter) {
  Start(SpecOf(4));
  std::vector<Grant> grants;
  for (int i = 0; i < 5; ++i) grants.push_back(GetKey(0, 4));
  const absl::Time start = now_;
  Tell(grants[0], Status(429, absl::Seconds(10)));
  Tell(grants[1], Status(429, absl::Seconds(5)));
  EXPECT_EQ(Key(0).available_at, start + absl::Seconds(10));
  Tell(grants[2], Status(429));
  EXPECT_EQ(Key(0).available_at, start + absl::Seconds(10));
  Tell(grants[3], Status(429, absl::Seconds(12)));
  EXPECT_EQ(Key(0).available_at, start + absl::Seconds(12));
  Tell(grants[4], Success());
  EXPECT_EQ(Key(0).available_at, start + absl::Seconds(12));
}

TEST_F(PoolStateTest, AnAuthFailureCountsWheneverItArrives) {
  Start(SpecOf(4));
  const Grant early = GetKey(0, 4);
  Tell(GetKey(0, 4), Status(429, absl::Seconds(10)));
  const absl::Time until = Key(0).available_at;
  Tell(early, Status(401));
  EXPECT_EQ(Key(0).available_at, until);
  EXPECT_EQ(Key(0).reason, "rate_limited");
  GoTo(pool_->NextProbe());
  pool_->OnProbe(0, Status(401), now_, random_);
  EXPECT_EQ(State(0), KeyState::kDisabled);
  EXPECT_EQ(Key(0).reason, "auth");
  Pass(absl::Hours(100));
  EXPECT_FALSE(Key(0).available);
}

// A key that begins its answers well and never ends them.
TEST_F(PoolStateTest, CutsInARowDisableAKeyThoughItsAnswersBegin) {
  PoolSpec spec = SpecOf(3);
  spec.keys[0].cooldown.reset();
  Start(spec);
  for (int cut = 1; cut <= 3; ++cut) {
    EXPECT_EQ(State(0), KeyState::kActive);
    const Grant grant = GetKey(0, 3);
    EXPECT_TRUE(Begin(grant));
    Tell(grant, Cut());
    EXPECT_EQ(Key(0).consecutive_failures, static_cast<uint32_t>(cut));
    if (cut < 3) Pass(absl::Minutes(1));
  }
  EXPECT_EQ(State(0), KeyState::kDisabled);
  for (const absl::Duration next : {absl::Seconds(20), absl::Seconds(40)}) {
    GoTo(Key(0).available_at);
    const Grant trial = Get();
    ASSERT_TRUE(trial.trial);
    EXPECT_TRUE(Begin(trial));
    EXPECT_EQ(State(0), KeyState::kActive);
    const Grant second = GetKey(0, 3);
    EXPECT_TRUE(Begin(second));
    Tell(trial, Cut());
    EXPECT_EQ(State(0), KeyState::kDisabled);
    EXPECT_EQ(Key(0).available_at, now_ + next);
    Tell(second, Cut());
    EXPECT_EQ(Key(0).available_at, now_ + next);
  }
  GoTo(Key(0).available_at);
  const Grant trial = Get();
  ASSERT_TRUE(trial.trial);
  EXPECT_TRUE(Begin(trial));
  Tell(trial, Success());
  EXPECT_EQ(State(0), KeyState::kActive);
  EXPECT_EQ(Key(0).consecutive_failures, 0u);
}

class PoolTrialTest : public PoolTest {
 protected:
  // Key 0 of four is disabled after one failure, and its trial is due.
  void SetUp() override {
    PoolSpec spec = SpecOf(4);
    spec.keys[0].max_failures = 1;
    Start(spec);
    Tell(GetKey(0, 4), Status(500));
    EXPECT_EQ(State(0), KeyState::kDisabled);
    due_ = Key(0).available_at;
  }

  absl::Time due_;
};

TEST_F(PoolTrialTest, ComesWhenDueBeforeOtherKeys) {
  GoTo(due_ - 1 * kMs);
  EXPECT_FALSE(Get().trial);
  GoTo(due_);
  const Grant trial = Get();
  EXPECT_TRUE(trial.trial);
  EXPECT_EQ(trial.key, 0u);
}

TEST_F(PoolTrialTest, IsSingleFlight) {
  GoTo(due_);
  const Grant trial = Get();
  for (int i = 0; i < 6; ++i) EXPECT_NE(Get().key, 0u);
  Tell(trial, Success());
  EXPECT_EQ(State(0), KeyState::kActive);
  EXPECT_EQ(Key(0).consecutive_failures, 0u);
}

TEST_F(PoolTrialTest, IsFreeAgainAfterANeutralEnd) {
  GoTo(due_);
  for (const Evidence& evidence : {Cancelled(), Status(400)}) {
    const Grant trial = Get();
    EXPECT_TRUE(trial.trial);
    Tell(trial, evidence);
    EXPECT_EQ(State(0), KeyState::kDisabled);
  }
  EXPECT_TRUE(Get().trial);
  Pass(absl::Minutes(10));  // expires
  EXPECT_EQ(State(0), KeyState::kDisabled);
  const Grant trial = Get();
  EXPECT_TRUE(trial.trial);
  pool_->Release(trial.id, now_);
  EXPECT_TRUE(Get().trial);
}

TEST_F(PoolTrialTest, FailureDoublesTheBackoff) {
  for (int minutes : {4, 8, 16, 30, 30}) {
    GoTo(Key(0).available_at);
    Tell(Get(), Status(500));
    EXPECT_EQ(State(0), KeyState::kDisabled);
    EXPECT_EQ(Key(0).available_at, now_ + absl::Minutes(minutes));
  }
}

TEST_F(PoolTrialTest, ARateLimitedTrialWaitsLonger) {
  GoTo(due_);
  Tell(Get(), Status(429, absl::Seconds(30)));
  EXPECT_EQ(State(0), KeyState::kDisabled);
  EXPECT_EQ(Key(0).available_at, now_ + absl::Seconds(30));
}

TEST_F(PoolTrialTest, SuccessOfAnotherLeaseDoesNotRecover) {
  PoolSpec spec = SpecOf(4);
  spec.keys[0].max_failures = 1;
  Start(spec);
  const Grant early = GetKey(0, 4);
  Tell(GetKey(0, 4), Status(500));
  Tell(early, Success());
  EXPECT_EQ(State(0), KeyState::kDisabled);
}

}  // namespace
}  // namespace ccr::core
