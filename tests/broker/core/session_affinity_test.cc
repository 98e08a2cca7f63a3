// A session stays with the key of its last success, as long as this is good for all.
#include "broker/core/pacing/fair_share.h"
#include "broker/core/session_table.h"
#include "tests/broker/core/pool_fixture.h"

namespace ccr::core {
namespace {

constexpr SessionHash kAnn = 11, kBob = 22;

struct ShareCase {
  uint32_t in_flight;
  uint64_t weight;
  SharedLoad all;
  bool within;
};

// in_flight + 1 <= ceil(1.25 * (all + 1) * weight / all weights)
TEST(FairShareTest, IsAQuarterAboveTheKeysPart) {
  const ShareCase cases[] = {
      {0, 1, {1, 0}, true},
      {1, 1, {1, 1}, true},
      {9, 1, {1, 9}, true},  // one key: no bound
      {0, 1, {3, 0}, true},
      {0, 1, {100'000, 0}, true},
      {0, 1, {3, 7}, true},   // idle ones always
      {3, 1, {3, 3}, true},   // few
      {4, 1, {3, 4}, false},  // ceil(6.25/3) = 3
      {1, 1, {2, 1}, true},   // ceil(2.5/3), ceil(2.5/2)
      {3, 1, {4, 11}, true},
      {3, 1, {4, 12}, true},
      {4, 1, {4, 11}, false},  // ceil(15/4) = 4
      {4, 1, {4, 12}, true},
      {5, 1, {4, 15}, false},  // ceil(16.25/4) = 5, 20/4
      {4, 1, {4, 15}, true},
      {5, 1, {4, 16}, true},  // 20/4 = 5, ceil(21.25/4)
      {7, 3, {6, 11}, true},
      {8, 3, {6, 11}, false},  // ceil(1.25*12/2) = 8
      {4, 1, {6, 19}, true},
      {5, 1, {6, 19}, false},  // ceil(1.25*20/6) = 5
      {4'000'000'000u, 1, {2, 4'000'000'000u}, false},
      {0, 1, {100'000'000'000'000'000u, 4'000'000'000u}, true},
  };
  for (const ShareCase& c : cases) {
    EXPECT_EQ(IsWithinShare(c.in_flight, c.weight, c.all), c.within)
        << c.in_flight << " of " << c.all.in_flight << " with " << c.weight << "/" << c.all.weight;
  }
}

class SessionAffinityTest : public PoolTest {
 protected:
  Grant GetFor(SessionHash session, std::vector<KeyIndex> excluded = {}) {
    const LeaseResult result = pool_->Lease({NewId(), kNoOwner, excluded, session}, now_, random_);
    EXPECT_TRUE(std::holds_alternative<Grant>(result));
    for (const Transition& transition : Transitions()) {
      if (transition.type == Transition::Type::kLeased) affinity_ = transition.affinity;
    }
    return std::holds_alternative<Grant>(result) ? std::get<Grant>(result) : Grant{};
  }
  // One request from beginning to end.
  KeyIndex Use(SessionHash session, std::vector<KeyIndex> excluded = {}) {
    const Grant grant = GetFor(session, std::move(excluded));
    Tell(grant, Success());
    return grant.key;
  }
  // A session whose last success was with `key`.
  void Settle(SessionHash session, KeyIndex key, uint32_t of) {
    std::vector<KeyIndex> others;
    for (KeyIndex other = 0; other < of; ++other) {
      if (other != key) others.push_back(other);
    }
    ASSERT_EQ(Use(session, others), key);
  }
  void Expect(KeyIndex key, Affinity affinity, const Grant& grant) {
    EXPECT_EQ(grant.key, key);
    EXPECT_EQ(ToString(affinity_), ToString(affinity));
  }

  Affinity affinity_ = Affinity::kNotAsked;
};

TEST_F(SessionAffinityTest, OneBusySessionStaysWithItsKeyUnderEveryStrategy) {
  for (const char* strategy :
       {"round_robin", "random", "weighted", "least_used", "least_in_flight", "lowest_latency", "fill_first"}) {
    Start(SpecOf(3, strategy));
    const KeyIndex key = Use(kAnn);
    EXPECT_EQ(affinity_, Affinity::kNone);
    for (int i = 0; i < 100; ++i) {
      Pass(absl::Seconds(i));
      ASSERT_EQ(Use(kAnn), key) << strategy;
      ASSERT_EQ(affinity_, Affinity::kHit);
    }
    EXPECT_EQ(pool_->Snapshot(now_).sessions, 1u);
  }
}

TEST_F(SessionAffinityTest, SessionsSpreadEvenly) {
  Start(SpecOf(3));
  for (int round = 0; round < 10; ++round) {
    for (SessionHash session = 1; session <= 30; ++session) Use(session);
  }
  for (KeyIndex key = 0; key < 3; ++key) EXPECT_EQ(Key(key).uses, 100u);
}

TEST_F(SessionAffinityTest, WithoutSessionsNothingChanges) {
  Start(SpecOf(3));
  for (int i = 0; i < 300; ++i) EXPECT_EQ(Use(kNoSession), static_cast<KeyIndex>(i % 3));
  EXPECT_EQ(affinity_, Affinity::kNotAsked);
  EXPECT_EQ(pool_->Snapshot(now_).sessions, 0u);
}

TEST_F(SessionAffinityTest, ItMovesWithTheNextSuccessWhenItsKeyIsOut) {
  PoolSpec spec = SpecOf(3);
  for (KeySpec& key : spec.keys) key.cooldown = absl::Seconds(10);
  Start(spec);
  Settle(kAnn, 1, 3);
  Tell(GetFor(kAnn), Status(429));
  const Grant second = GetFor(kAnn);
  EXPECT_NE(second.key, 1u);
  EXPECT_EQ(affinity_, Affinity::kMoved);
  Tell(second, Status(400));
  Pass(absl::Seconds(10));
  const Grant third = GetFor(kAnn);
  Expect(1, Affinity::kHit, third);  // there was no success elsewhere
  Tell(third, Status(400));
  Tell(GetFor(kBob, {0, 2}), Status(429));
  const KeyIndex next = Use(kAnn);
  EXPECT_NE(next, 1u);
  Pass(absl::Seconds(20));
  Expect(next, Affinity::kHit, GetFor(kAnn));
}

TEST_F(SessionAffinityTest, AnHourAfterItsLastSuccessItIsNew) {
  const struct {
    absl::Duration pause;
    Affinity affinity;
  } cases[] = {{-kMs, Affinity::kHit}, {absl::ZeroDuration(), Affinity::kNone}, {kMs, Affinity::kNone}};
  for (const auto& c : cases) {
    Start(SpecOf(3));
    Settle(kAnn, 1, 3);
    Pass(SessionTable::kIdle + c.pause);
    GetFor(kAnn);
    EXPECT_EQ(affinity_, c.affinity) << c.pause;
  }
}

TEST_F(SessionAffinityTest, EligibilityComesFirst) {
  PoolSpec spec = SpecOf(3);
  spec.keys[1].max_concurrent = 1;
  spec.keys[1].limits.rpm = 3;
  Start(spec);
  Settle(kAnn, 1, 3);
  EXPECT_NE(GetFor(kAnn, {1}).key, 1u);
  EXPECT_EQ(affinity_, Affinity::kMoved);
  const Grant held = GetFor(kAnn);
  Expect(1, Affinity::kHit, held);
  EXPECT_NE(GetFor(kAnn).key, 1u);  // max_concurrent
  EXPECT_EQ(affinity_, Affinity::kMoved);
  Tell(held, Success());
  EXPECT_EQ(Use(kAnn), 1u);
  EXPECT_NE(GetFor(kAnn).key, 1u);  // rpm
  EXPECT_EQ(affinity_, Affinity::kMoved);
}

TEST_F(SessionAffinityTest, TheTrialOfADisabledKeyComesFirst) {
  PoolSpec spec = SpecOf(3);
  spec.keys[0].max_failures = 1;
  Start(spec);
  Settle(kAnn, 1, 3);
  Tell(GetKey(0, 3), Status(500));
  ASSERT_EQ(State(0), KeyState::kDisabled);
  GoTo(Key(0).available_at);
  const Grant trial = GetFor(kAnn);
  Expect(0, Affinity::kMoved, trial);
  EXPECT_TRUE(trial.trial);
  Expect(1, Affinity::kHit, GetFor(kAnn));
}

// Requests of sessions with one key meet by chance, while other keys have none at all.
TEST_F(SessionAffinityTest, AFewLeasesAreNoReasonToMove) {
  Start(SpecOf(10));
  for (SessionHash session = 1; session <= 4; ++session) Settle(session, 1, 10);
  for (SessionHash session = 1; session <= 4; ++session) Expect(1, Affinity::kHit, GetFor(session));
}

// Three keys: the fifth lease goes elsewhere, ceil(1.25 * 5 / 3) = 3, until there are as many as its share of.
TEST_F(SessionAffinityTest, AKeyTakesNoMoreThanItsShare) {
  Start(SpecOf(3));
  Settle(kAnn, 1, 3);
  Settle(kBob, 1, 3);
  for (uint32_t i = 0; i < kFewLeases; ++i) Expect(1, Affinity::kHit, GetFor(kAnn));
  const Grant fifth = GetFor(kBob);
  EXPECT_NE(fifth.key, 1u);
  EXPECT_EQ(affinity_, Affinity::kOverShare);
  for (int i = 0; i < 6; ++i) GetFor(kNoSession, {1});
  for (int i = 0; i < 2; ++i) Expect(1, Affinity::kHit, GetFor(kAnn));  // ceil(1.25 * 13 / 3) = 6
  GetFor(kAnn);
  EXPECT_EQ(affinity_, Affinity::kOverShare);  // ceil(1.25 * 14 / 3) = 6
  Tell(fifth, Success());                      // Bob has moved
  Expect(fifth.key, Affinity::kHit, GetFor(kBob));
}

TEST_F(SessionAffinityTest, NoKeyIsAQuarterAboveItsShareBecauseOfAffinity) {
  for (const uint32_t keys : {2u, 3u, 10u}) {
    Start(SpecOf(keys));
    Settle(kAnn, 0, keys);
    uint32_t hits = 0;
    for (uint32_t in_flight = 1; in_flight <= 200; ++in_flight) {
      GetFor(kAnn);
      if (affinity_ != Affinity::kHit) continue;
      ++hits;
      ASSERT_LE(Key(0).in_flight, std::max(kFewLeases, (5 * in_flight + 4 * keys - 1) / (4 * keys)))
          << keys << " keys, " << in_flight;
    }
    EXPECT_GE(hits, 200 / keys / 2) << keys << " keys";
  }
}

TEST_F(SessionAffinityTest, SharesAreByWeightWhereTheStrategyIs) {
  for (const char* strategy : {"weighted", "round_robin"}) {
    PoolSpec spec = SpecOf(2, strategy);
    spec.keys[1].weight = 7;
    Start(spec);
    Settle(kAnn, 1, 2);
    uint32_t hits = 0;
    for (int i = 0; i < 8; ++i) {
      GetFor(kAnn);
      hits += affinity_ == Affinity::kHit;
    }
    EXPECT_EQ(hits, spec.strategy == "weighted" ? 8u : 4u) << strategy;
  }
}

// Only keys that are ACTIVE share the load.
TEST_F(SessionAffinityTest, SharesGrowWhenOtherKeysAreOut) {
  Start(SpecOf(3));
  Settle(kAnn, 1, 3);
  Tell(GetKey(0, 3), Status(429, absl::Seconds(10)));
  for (int i = 0; i < 4; ++i) GetFor(kNoSession, {1});
  for (int i = 0; i < 6; ++i) Expect(1, Affinity::kHit, GetFor(kAnn));  // ceil(1.25 * 10 / 2) = 7
  Pass(absl::Seconds(10));                                              // ceil(1.25 * 11 / 3) = 5
  GetFor(kAnn);
  EXPECT_EQ(affinity_, Affinity::kOverShare);
}

TEST_F(SessionAffinityTest, WeightZeroStaysForWhenNothingElseIsLeft) {
  PoolSpec spec = SpecOf(3);
  spec.keys[2].weight = 0;
  Start(spec);
  Settle(kAnn, 2, 3);
  EXPECT_NE(GetFor(kAnn).key, 2u);
  EXPECT_EQ(affinity_, Affinity::kMoved);
  Tell(GetKey(0, 3), Status(429, absl::Seconds(10)));
  Tell(GetKey(1, 3), Status(429, absl::Seconds(10)));
  Expect(2, Affinity::kHit, GetFor(kAnn));
}

// What comes without a session afterwards is as even as if the session had not been.
TEST_F(SessionAffinityTest, AKeyOwesNothingForABusySession) {
  for (const char* strategy : {"round_robin", "weighted", "least_used", "least_in_flight"}) {
    Start(SpecOf(3, strategy));
    Settle(kAnn, 1, 3);
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(Use(kAnn), 1u);
    const uint64_t before = Key(1).uses;
    for (int i = 0; i < 300; ++i) Use(kNoSession);
    EXPECT_NEAR(static_cast<double>(Key(1).uses - before), 100, 1) << strategy;
    EXPECT_NEAR(static_cast<double>(Key(0).uses), 100, 1) << strategy;
  }
}

// One session request to three others: of the four, each key gets its part.
TEST_F(SessionAffinityTest, AGrantForASessionUsesUpATurn) {
  for (const char* strategy : {"round_robin", "weighted", "least_used"}) {
    Start(SpecOf(4, strategy));
    Settle(kAnn, 1, 4);
    for (int i = 0; i < 400; ++i) Use(i % 4 == 0 ? kAnn : kNoSession);
    for (KeyIndex key = 0; key < 4; ++key) EXPECT_NEAR(static_cast<double>(Key(key).uses), 100, 2) << strategy;
  }
}

TEST_F(SessionAffinityTest, CanBeTurnedOff) {
  PoolSpec spec = SpecOf(3);
  Start(spec);
  Settle(kAnn, 1, 3);
  spec.session_affinity = false;
  pool_->Reconfigure(spec, now_);
  EXPECT_EQ(pool_->Snapshot(now_).sessions, 0u);
  for (int i = 0; i < 9; ++i) Use(kAnn);
  EXPECT_EQ(affinity_, Affinity::kNotAsked);
  for (KeyIndex key = 0; key < 3; ++key) EXPECT_EQ(Key(key).uses, key == 1 ? 4u : 3u);
  EXPECT_EQ(pool_->Snapshot(now_).sessions, 0u);
}

TEST_F(SessionAffinityTest, AReloadKeepsTheSessionsOfKeysThatStay) {
  Start(SpecOf(3));
  Settle(kAnn, 1, 3);
  Settle(kBob, 2, 3);
  const Grant held = GetFor(kBob);
  PoolSpec spec = SpecOf(2, "weighted");
  std::swap(spec.keys[0], spec.keys[1]);
  pool_->Reconfigure(spec, now_);
  EXPECT_EQ(pool_->Snapshot(now_).sessions, 1u);
  Expect(1, Affinity::kHit, GetFor(kAnn));
  Tell(held, Success());  // with a key that is no longer there
  EXPECT_EQ(pool_->Snapshot(now_).sessions, 1u);
  pool_->Reconfigure(SpecOf(3), now_);
  GetFor(kBob);
  EXPECT_EQ(affinity_, Affinity::kNone);
}

// A new session's first requests come together, and have one prompt.
TEST_F(SessionAffinityTest, FirstRequestsThatComeTogetherStayTogether) {
  for (const char* strategy :
       {"round_robin", "random", "weighted", "least_used", "least_in_flight", "lowest_latency"}) {
    Start(SpecOf(10, strategy));
    const KeyIndex key = GetFor(kAnn).key;
    EXPECT_EQ(affinity_, Affinity::kNone);
    for (int i = 0; i < 3; ++i) Expect(key, Affinity::kHit, GetFor(kAnn));
    EXPECT_EQ(pool_->Snapshot(now_).sessions, 1u);
    GetFor(kAnn);
    EXPECT_EQ(affinity_, Affinity::kOverShare) << "four at most, where its share is not more";
  }
}

TEST_F(SessionAffinityTest, AGoodBeginningIsEnoughToBeKnown) {
  Start(SpecOf(3));
  const Grant first = GetFor(kAnn);
  EXPECT_TRUE(Begin(first));
  Tell(first, Cancelled());
  Expect(first.key, Affinity::kHit, GetFor(kAnn));
}

TEST_F(SessionAffinityTest, WithoutASuccessTheFirstKeyIsForgotten) {
  for (const Evidence& evidence : {Status(400), Status(500), Cancelled()}) {
    Start(SpecOf(3));
    Tell(GetFor(kAnn), evidence);
    EXPECT_EQ(pool_->Snapshot(now_).sessions, 0u);
    const Grant second = GetFor(kAnn);
    EXPECT_EQ(affinity_, Affinity::kNone);
    pool_->Release(second.id, now_);
    EXPECT_EQ(pool_->Snapshot(now_).sessions, 0u);
  }
}

TEST_F(SessionAffinityTest, OnlyTheAssumedKeyIsForgotten) {
  Start(SpecOf(3));
  const Grant first = GetFor(kAnn, {0, 2}), second = GetFor(kAnn, {1});
  EXPECT_EQ(affinity_, Affinity::kMoved);
  Tell(second, Status(500));
  Expect(1, Affinity::kHit, GetFor(kAnn));
  Tell(first, Success());
  Tell(GetFor(kAnn), Status(400));
  Expect(1, Affinity::kHit, GetFor(kAnn));  // proven
}

TEST_F(SessionAffinityTest, WhoWaitedGetsItsKeyToo) {
  PoolSpec spec = SpecOf(2);
  spec.queue_wait = absl::Seconds(60);
  for (KeySpec& key : spec.keys) key.max_concurrent = 1;
  Start(spec);
  Settle(kAnn, 1, 2);
  const Grant first = GetFor(kNoSession), second = GetFor(kNoSession);
  ASSERT_FALSE(pool_->Wait({NewId(), kNoOwner, {}, kAnn}, absl::Seconds(60), now_, random_).has_value());
  Transitions();
  Tell(first, Success());
  Tell(second, Success());
  const auto answers = Poll();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(std::get<Grant>(answers[0].result).key, 1u);
}

}  // namespace
}  // namespace ccr::core
