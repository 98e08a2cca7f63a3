// Refusals (401, 403) are judged when their request is over.
#include "tests/broker/core/pool_fixture.h"

namespace ccr::core {
namespace {

class PoolInquiryTest : public PoolTest {
 protected:
  // One client's request: each lease names the one before and excludes the keys that failed.
  struct Request {
    std::vector<KeyIndex> tried;
    LeaseId last;
  };

  std::optional<Grant> Next(Request* request) {
    const LeaseResult result =
        pool_->Lease({NewId(), kNoOwner, request->tried, kNoSession, request->last}, now_, random_);
    if (!std::holds_alternative<Grant>(result)) return std::nullopt;
    const Grant grant = std::get<Grant>(result);
    request->tried.push_back(grant.key);
    request->last = grant.id;
    return grant;
  }
  // The next attempt is answered so. Its advice, or nothing when there was no lease.
  std::optional<Decision> Try(Request* request, const Evidence& evidence) {
    const std::optional<Grant> grant = Next(request);
    if (!grant) return std::nullopt;
    return Tell(*grant, evidence);
  }
  std::vector<KeyIndex> DueProbes() {
    std::vector<KeyIndex> keys;
    pool_->TakeProbes(100, now_, &keys);
    return keys;
  }
  bool AllActive() {
    for (const KeySnapshot& key : pool_->Snapshot(now_).keys) {
      if (key.state != KeyState::kActive || key.consecutive_failures > 0) return false;
    }
    return true;
  }
};

TEST_F(PoolInquiryTest, TheKeysThatAnotherOneStoodInForWereAtFault) {
  Start(SpecOf(4));
  Request request;
  EXPECT_EQ(Try(&request, Status(401))->advice, Advice::kRotate);
  EXPECT_EQ(Try(&request, Status(403))->advice, Advice::kRotate);
  EXPECT_EQ(State(0), KeyState::kCooling);
  Try(&request, Success());
  EXPECT_EQ(State(0), KeyState::kDisabled);
  EXPECT_EQ(Key(0).reason, "auth");
  EXPECT_GE(Key(0).available_at - now_, absl::Minutes(9));
  EXPECT_EQ(Key(1).reason, "http_403");
  EXPECT_EQ(Key(1).consecutive_failures, 1u);
  EXPECT_EQ(State(2), KeyState::kActive);
}

// A rate limit or a failure in between is of another kind.
TEST_F(PoolInquiryTest, OtherOutcomesInBetweenLeaveItOpen) {
  Start(SpecOf(4));
  Request request;
  Try(&request, Status(401));
  Try(&request, Status(429, absl::Seconds(5)));
  Try(&request, Status(500));
  Try(&request, Success());
  EXPECT_EQ(Key(0).reason, "auth");
  EXPECT_EQ(Key(1).reason, "rate_limited");
  EXPECT_EQ(Key(2).reason, "http_500");
}

// The verdict comes with the first byte of the good answer.
TEST_F(PoolInquiryTest, AGoodAnswerThatHasBegunConvicts) {
  Start(SpecOf(4));
  Request request;
  Try(&request, Status(401));
  const Grant serving = *Next(&request);
  EXPECT_TRUE(pool_->Progress(serving.id, {200, absl::Seconds(1)}, now_, random_));
  EXPECT_EQ(Key(0).reason, "auth");
  Tell(serving, Cut());
  EXPECT_EQ(Key(0).reason, "auth");
}

TEST_F(PoolInquiryTest, AnotherRequestsSuccessConvictsNobody) {
  Start(SpecOf(4));
  Request refused, other;
  Try(&refused, Status(401));
  Try(&other, Success());
  EXPECT_EQ(State(0), KeyState::kCooling);
}

TEST_F(PoolInquiryTest, ARequestEveryKeyRefusesCostsNoKey) {
  for (const Evidence& evidence : {Status(403), Foreign(401), Foreign(403)}) {
    Start(SpecOf(3));
    for (int i = 0; i < 4; ++i) {
      Request request;
      while (Try(&request, evidence).has_value()) EXPECT_GE(Get().key, 0u);
      EXPECT_EQ(request.tried.size(), 3u);
      EXPECT_TRUE(AllActive());
    }
    EXPECT_EQ(Circuit(), CircuitState::kClosed);
  }
}

TEST_F(PoolInquiryTest, FiveKeysAreTriedAtMost) {
  Start(SpecOf(20));
  Request request;
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Try(&request, Status(403))->advice, Advice::kRotate);
  EXPECT_EQ(Try(&request, Status(403))->advice, Advice::kRelay);
  EXPECT_TRUE(AllActive());
}

TEST_F(PoolInquiryTest, WhoDoesNotNameItsLeasesMayCountThem) {
  Start(SpecOf(20));
  EXPECT_EQ(pool_->Apply({Get().id, Status(401), 3, 0}, now_, random_).advice, Advice::kRotate);
  EXPECT_EQ(pool_->Apply({Get().id, Status(401), 4, 0}, now_, random_).advice, Advice::kRelay);
}

TEST_F(PoolInquiryTest, AnAuthFailureOfAllThatWereTriedIsLeftToTheProbes) {
  Start(SpecOf(3));
  Tell(GetKey(2, 3), Status(429, absl::Hours(1)));
  Request request;
  Try(&request, Foreign(401));
  Try(&request, Foreign(401));
  EXPECT_FALSE(Try(&request, Foreign(401)).has_value());
  EXPECT_EQ(State(0), KeyState::kActive);
  EXPECT_EQ(DueProbes(), (std::vector<KeyIndex>{0, 1}));
  pool_->OnProbe(0, Status(401), now_, random_);
  pool_->OnProbe(1, Success(), now_, random_);
  EXPECT_EQ(Key(0).reason, "auth");
  EXPECT_EQ(State(1), KeyState::kActive);
}

TEST_F(PoolInquiryTest, AProbeThatSaysNothingOfTheKeyLeavesIt) {
  Start(SpecOf(3));
  Request request;
  Try(&request, Status(401));
  GoTo(pool_->NextProbe());
  DueProbes();
  pool_->OnProbe(0, Status(500), now_, random_);
  EXPECT_EQ(State(0), KeyState::kActive);
  EXPECT_EQ(pool_->NextProbe(), absl::InfiniteFuture());
}

// A caller that hammers a foreign path has each key probed at growing intervals.
TEST_F(PoolInquiryTest, ProbesOfOneSuspectComeAtGrowingIntervals) {
  Start(SpecOf(2));
  std::vector<absl::Time> probes;
  const absl::Time start = now_;
  for (; now_ < start + absl::Hours(1); Pass(absl::Milliseconds(500))) {
    Request request;
    while (Try(&request, Foreign(401)).has_value()) {
    }
    for (const KeyIndex key : DueProbes()) {
      if (key == 0) probes.push_back(now_);
      pool_->OnProbe(key, Success(), now_, random_);
    }
    EXPECT_TRUE(AllActive());
  }
  EXPECT_LE(probes.size(), 20u);
  EXPECT_GE(probes.size(), 10u);
}

TEST_F(PoolInquiryTest, TheRestOfASuspectIsShortAndGrowsWhileItsRequestsAreNotOver) {
  PoolSpec spec = SpecOf(2);
  for (KeySpec& key : spec.keys) key.probe_interval = absl::ZeroDuration();
  Start(spec);
  for (int seconds : {2, 4, 8, 16, 32, 64, 128, 256, 300, 300}) {
    Tell(GetKey(0, 2), Status(401));
    EXPECT_GE(Key(0).available_at - now_, 0.9 * absl::Seconds(seconds));
    EXPECT_LE(Key(0).available_at - now_, 1.1 * absl::Seconds(seconds));
    GoTo(Key(0).available_at);
  }
  EXPECT_EQ(pool_->NextProbe(), absl::InfiniteFuture());
  Tell(GetKey(0, 2), Success());
  Tell(GetKey(0, 2), Status(401));
  EXPECT_LE(Key(0).available_at - now_, 1.1 * absl::Seconds(2));
}

TEST_F(PoolInquiryTest, TheLastActiveKeyNeverRests) {
  for (int status : {401, 403}) {
    Start(SpecOf(2));
    Tell(GetKey(1, 2), Status(429, absl::Hours(1)));
    Tell(GetKey(0, 2), Status(status));
    EXPECT_EQ(State(0), KeyState::kActive);
  }
}

TEST_F(PoolInquiryTest, ADenialNeverCoolsTheLastActiveKey) {
  Start(SpecOf(2));
  Request request;
  Try(&request, Status(403));
  const Grant grant = *Next(&request);
  Tell(GetKey(1, 2), Status(429, absl::Hours(1)));
  Tell(grant, Success());
  EXPECT_EQ(State(0), KeyState::kActive);
  EXPECT_EQ(Key(0).consecutive_failures, 0u);
}

// It served a later lease in between: it was that request.
TEST_F(PoolInquiryTest, ALaterSuccessOfTheKeyItselfClearsIt) {
  Start(SpecOf(2));
  Request request;
  Try(&request, Status(401));
  GoTo(Key(0).available_at);
  Tell(GetKey(0, 2), Success());
  Try(&request, Success());
  EXPECT_EQ(State(0), KeyState::kActive);
  EXPECT_EQ(pool_->NextProbe(), absl::InfiniteFuture());
}

TEST_F(PoolInquiryTest, ManyRequestsAtOnceConvictOnce) {
  Start(SpecOf(2));
  std::vector<Grant> refused;
  for (int i = 0; i < 10; ++i) refused.push_back(GetKey(0, 2));
  std::vector<Request> requests;
  for (const Grant& grant : refused) {
    Tell(grant, Status(403));
    requests.push_back({{0}, grant.id});
  }
  for (Request& request : requests) Try(&request, Success());
  EXPECT_EQ(Key(0).consecutive_failures, 1u);
  EXPECT_EQ(Key(0).reason, "http_403");
}

// Two keys of one provider may differ in what paths they may use.
TEST_F(PoolInquiryTest, OnAForeignPathOnlyTheProbeDisables) {
  Start(SpecOf(2));
  Request request;
  Try(&request, Foreign(401));
  Try(&request, Success());
  EXPECT_NE(State(0), KeyState::kDisabled);
  EXPECT_EQ(DueProbes(), std::vector<KeyIndex>{0});
  pool_->OnProbe(0, Status(401), now_, random_);
  EXPECT_EQ(Key(0).reason, "auth");
}

TEST_F(PoolInquiryTest, AWaiterStaysInItsRequest) {
  PoolSpec spec = SpecOf(2);
  for (KeySpec& key : spec.keys) key.max_concurrent = 1;
  spec.queue_wait = absl::Seconds(30);
  Start(spec);
  Request request;
  Try(&request, Status(401));
  const Grant other = GetKey(1, 2);
  const LeaseId id = NewId();
  EXPECT_FALSE(pool_->Wait({id, kNoOwner, request.tried, kNoSession, request.last}, absl::Minutes(1), now_, random_)
                   .has_value());
  Tell(other, Cancelled());
  ASSERT_EQ(Poll().size(), 1u);
  EXPECT_EQ(State(0), KeyState::kCooling);
  pool_->Apply({id, Success(), 0, 0}, now_, random_);
  EXPECT_EQ(Key(0).reason, "auth");
}

TEST_F(PoolInquiryTest, RequestsBeyondAThousandTakeTheOldestsPlace) {
  Start(SpecOf(4));
  std::vector<Request> requests(1'100);
  std::vector<Grant> grants;
  for (size_t i = 0; i < requests.size(); ++i) grants.push_back(GetKey(0, 4));
  for (size_t i = 0; i < requests.size(); ++i) {
    requests[i] = {{0}, grants[i].id};
    Tell(grants[i], Status(401));
  }
  Try(&requests.front(), Success());
  EXPECT_EQ(State(0), KeyState::kCooling);
  Try(&requests.back(), Success());
  EXPECT_EQ(State(0), KeyState::kDisabled);
}

class PoolAuthCircuitTest : public PoolInquiryTest {
 protected:
  // Tries until there is no lease or the advice is to relay. The attempts.
  size_t Exhaust(const Evidence& evidence) {
    Request request;
    for (std::optional<Decision> decision; (decision = Try(&request, evidence)).has_value();) {
      if (decision->advice == Advice::kRelay) break;
    }
    return request.tried.size();
  }
  absl::Time RetryAt() { return pool_->Snapshot(now_).circuit_retry_at; }
};

TEST_F(PoolAuthCircuitTest, AProviderThatRefusesEverybodyDisablesNobody) {
  for (uint32_t keys : {2u, 3u, 5u, 300u}) {
    Start(SpecOf(keys));
    EXPECT_EQ(Exhaust(Status(401)), std::min(keys, 5u));
    EXPECT_EQ(Circuit(), CircuitState::kOpen);
    EXPECT_EQ(pool_->Snapshot(now_).circuit_reason, "auth_everywhere");
    EXPECT_TRUE(AllActive());
    EXPECT_EQ(pool_->NextProbe(), absl::InfiniteFuture());
    EXPECT_EQ(Exhaust(Status(401)), 0u);
    for (int i = 0; i < 10; ++i) {
      GoTo(RetryAt());
      EXPECT_EQ(Exhaust(Status(401)), 1u);
      EXPECT_TRUE(AllActive());
    }
    GoTo(RetryAt());
    Tell(Get(), Success());
    EXPECT_EQ(Circuit(), CircuitState::kClosed);
  }
}

TEST_F(PoolAuthCircuitTest, WhatProbesDisabledOnTheWayIsGivenBack) {
  Start(SpecOf(3));
  Tell(GetKey(0, 3), Status(401));
  GoTo(pool_->NextProbe());
  DueProbes();
  pool_->OnProbe(0, Status(401), now_, random_);
  EXPECT_EQ(State(0), KeyState::kDisabled);
  Exhaust(Status(401));
  EXPECT_EQ(Circuit(), CircuitState::kOpen);
  EXPECT_TRUE(AllActive());
}

TEST_F(PoolAuthCircuitTest, AnUntriedKeyIsTriedFirst) {
  Start(SpecOf(3));
  Tell(GetKey(0, 3), Status(401));
  Tell(GetKey(1, 3), Status(401));
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
  EXPECT_EQ(Get().key, 2u);
}

TEST_F(PoolAuthCircuitTest, ASuccessBetweenThemShowsThatTheProviderAcceptsKeys) {
  Start(SpecOf(3));
  Tell(GetKey(0, 3), Status(401));
  Tell(GetKey(1, 3), Status(401));
  Tell(GetKey(2, 3), Success());
  Tell(GetKey(2, 3), Status(401));
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
}

TEST_F(PoolAuthCircuitTest, OneRequestIsNoWitnessAgainstAPoolThatServes) {
  Start(SpecOf(3));
  for (int i = 0; i < 3; ++i) {
    Tell(GetKey(0, 3), Success());
    EXPECT_EQ(Exhaust(Status(401)), 3u);
    EXPECT_EQ(Circuit(), CircuitState::kClosed);
    EXPECT_TRUE(AllActive());
  }
  EXPECT_EQ(Exhaust(Status(401)), 1u);  // another one, and no success between them
  EXPECT_EQ(Circuit(), CircuitState::kOpen);
}

TEST_F(PoolAuthCircuitTest, OneRequestIsEnoughWhenNothingWasServedForAMinute) {
  for (const auto& [wait, state] : {std::pair{absl::Milliseconds(60'000), CircuitState::kClosed},
                                    {absl::Milliseconds(60'001), CircuitState::kOpen}}) {
    Start(SpecOf(3));
    Tell(GetKey(0, 3), Success());
    Pass(wait);
    Exhaust(Status(401));
    EXPECT_EQ(Circuit(), state) << wait;
  }
}

TEST_F(PoolAuthCircuitTest, TheWindowIsThirtySeconds) {
  for (const auto& [wait, state] : {std::pair{absl::Milliseconds(30'000), CircuitState::kOpen},
                                    {absl::Milliseconds(30'001), CircuitState::kClosed}}) {
    Start(SpecOf(2));
    Tell(GetKey(0, 2), Status(401));
    Pass(wait);
    Tell(GetKey(1, 2), Status(401));
    EXPECT_EQ(Circuit(), state) << wait;
  }
}

TEST_F(PoolAuthCircuitTest, ASingleKeyIsLeftToItsProbe) {
  Start(SpecOf(1));
  EXPECT_EQ(Exhaust(Status(401)), 1u);
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
  EXPECT_EQ(DueProbes(), std::vector<KeyIndex>{0});
  pool_->OnProbe(0, Status(401), now_, random_);
  EXPECT_EQ(Key(0).reason, "auth");
  EXPECT_EQ(Refused().why, Refusal::Why::kAllDisabled);
}

TEST_F(PoolAuthCircuitTest, WithoutProbesASingleKeyIsTriedAtGrowingIntervals) {
  PoolSpec spec = SpecOf(1);
  spec.keys[0].probe_interval = absl::ZeroDuration();
  Start(spec);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Exhaust(Status(401)), 1u);
  for (int seconds : {1, 2, 4, 8, 16, 30, 30}) {
    EXPECT_EQ(Exhaust(Status(401)), 0u);
    EXPECT_GE(RetryAt() - now_, 0.89 * absl::Seconds(seconds));
    GoTo(RetryAt());
    EXPECT_EQ(Exhaust(Status(401)), 1u);
  }
}

// One that always begins with the same key would never find the good ones behind it.
TEST_F(PoolAuthCircuitTest, TheTrialGoesToAKeyThatHasNotJustFailed) {
  Start(SpecOf(20, "fill_first"));
  EXPECT_EQ(Exhaust(Status(401)), 5u);
  for (KeyIndex key : {5, 6, 7}) {
    GoTo(RetryAt());
    const Grant trial = Get();
    EXPECT_EQ(trial.key, key);
    Tell(trial, Status(401));
  }
  GoTo(RetryAt());
  Tell(Get(), Success());
  EXPECT_EQ(Get().key, 0u);
}

TEST_F(PoolAuthCircuitTest, StragglersCountNothing) {
  Start(SpecOf(2));
  const Grant early = GetKey(0, 2);
  Exhaust(Status(401));
  EXPECT_EQ(Circuit(), CircuitState::kOpen);
  Tell(early, Status(401));
  EXPECT_TRUE(AllActive());
  EXPECT_EQ(pool_->NextProbe(), absl::InfiniteFuture());
}

TEST_F(PoolAuthCircuitTest, AnotherAccessIsTriedAtOnce) {
  PoolSpec spec = SpecOf(300);
  Start(spec);
  const Grant early = Get();
  Exhaust(Status(401));
  for (int i = 0; i < 5; ++i) {
    GoTo(RetryAt());
    EXPECT_EQ(Exhaust(Status(401)), 1u);
  }
  GoTo(RetryAt());
  const Grant old_trial = Get();
  spec.access = 1;
  pool_->Reconfigure(spec, now_);
  EXPECT_EQ(Circuit(), CircuitState::kHalfOpen);
  const Grant trial = Get();
  Refused();
  Tell(old_trial, Status(401));
  Tell(early, Status(401));
  EXPECT_EQ(Circuit(), CircuitState::kHalfOpen);
  Refused();
  Tell(trial, Success());
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
  EXPECT_TRUE(AllActive());
}

TEST_F(PoolAuthCircuitTest, AnotherAccessHasDisabledKeysProbedAtOnceAndSuspectsFree) {
  PoolSpec spec = SpecOf(3);
  Start(spec);
  Disable(0, 3);
  Tell(GetKey(1, 3), Status(401));
  pool_->Reconfigure(spec, now_);
  EXPECT_TRUE(DueProbes().empty());
  spec.access = 1;
  pool_->Reconfigure(spec, now_);
  EXPECT_EQ(State(1), KeyState::kActive);
  EXPECT_EQ(DueProbes(), std::vector<KeyIndex>{0});
  pool_->OnProbe(0, Success(), now_, random_);
  EXPECT_TRUE(AllActive());
}

// Its answer is of the old access.
TEST_F(PoolAuthCircuitTest, AProbeThatWasUnderWayWhenTheAccessChangedIsMadeAgain) {
  PoolSpec spec = SpecOf(1);
  Start(spec);
  Disable(0, 1);
  GoTo(pool_->NextProbe());
  EXPECT_EQ(DueProbes().size(), 1u);
  spec.access = 1;
  pool_->Reconfigure(spec, now_);
  pool_->OnProbe(0, Status(401), now_, random_);
  EXPECT_EQ(DueProbes().size(), 1u);
}

}  // namespace
}  // namespace ccr::core
