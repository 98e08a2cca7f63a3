// When a key that its provider refuses is asked for again.
#include <string>
#include <tuple>
#include <vector>

#include "tests/broker/core/pool_fixture.h"

namespace ccr::core {
namespace {

class PoolProbeTest : public PoolTest {
 protected:
  std::vector<KeyIndex> Take(uint32_t limit = 100) {
    std::vector<KeyIndex> keys;
    pool_->TakeProbes(limit, now_, &keys);
    return keys;
  }
  void Answer(KeyIndex key, const Evidence& evidence) { pool_->OnProbe(key, evidence, now_, random_); }
  // The next probe is due after `wait`, give or take a tenth, and not earlier than it is said to be.
  void ExpectNextAfter(absl::Duration wait) {
    const absl::Time due = pool_->NextProbe();
    EXPECT_EQ(Key(0).available_at, due);
    EXPECT_GE(due - now_, 0.9 * wait);
    EXPECT_LE(due - now_, 1.1 * wait);
    GoTo(due - kMs);
    EXPECT_TRUE(Take().empty());
    GoTo(due);
  }
};

// A pool of one has no key that could show whether the probe's word counts: a lease may try it as well, once in between.
TEST_F(PoolProbeTest, ComesAtGrowingIntervalsWhileTheKeyIsRefused) {
  Start(SpecOf(1));
  EXPECT_EQ(pool_->NextProbe(), absl::InfiniteFuture());
  Disable(0, 1);
  EXPECT_EQ(Key(0).reason, "auth");
  EXPECT_EQ(Refused().why, Refusal::Why::kAllDisabled);
  EXPECT_EQ(Refused().retry_at, absl::InfiniteFuture());
  for (int minutes : {10, 20, 40, 80, 160, 320, 640, 1280}) {
    ExpectNextAfter(absl::Minutes(minutes));
    ASSERT_EQ(Take(), std::vector<KeyIndex>{0});
    Answer(0, Status(minutes == 20 ? 403 : 401));
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_GE(pool_->NextProbe() - now_, 0.9 * absl::Hours(24));
    EXPECT_LE(pool_->NextProbe() - now_, absl::Hours(24));
    GoTo(pool_->NextProbe());
    ASSERT_EQ(Take().size(), 1u);
    Answer(0, Status(401));
  }
}

TEST_F(PoolProbeTest, IsOneAtATime) {
  Start(SpecOf(1));
  Disable(0, 1);
  Pass(absl::Hours(1));
  EXPECT_EQ(Take().size(), 1u);
  Pass(absl::Hours(100));
  EXPECT_TRUE(Take().empty());
  EXPECT_EQ(pool_->NextProbe(), absl::InfiniteFuture());
  Answer(0, Status(401));
  EXPECT_TRUE(Take().empty());
  Pass(absl::Hours(1));
  EXPECT_EQ(Take().size(), 1u);
}

TEST_F(PoolProbeTest, ComesForTheLongestDueFirstAndNotForMoreThanAsked) {
  Start(SpecOf(3));
  Disable(1, 3);
  Pass(absl::Minutes(5));
  Disable(0, 3);
  Pass(absl::Hours(1));
  EXPECT_EQ(Take(1), std::vector<KeyIndex>{1});
  EXPECT_EQ(Take(1), std::vector<KeyIndex>{0});
  EXPECT_TRUE(Take(1).empty());
}

TEST_F(PoolProbeTest, ASuccessBringsTheKeyBackAndIsNoUse) {
  Start(SpecOf(2));
  Disable(0, 2);
  const uint64_t uses = Key(0).uses;
  GoTo(pool_->NextProbe());
  Take();
  Transitions();
  Answer(0, Success());
  EXPECT_EQ(State(0), KeyState::kActive);
  const std::vector<Transition> told = Transitions();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].type, Transition::Type::kProbed);
  EXPECT_EQ(told[0].outcome, Outcome::kSuccess);
  EXPECT_EQ(told[1].type, Transition::Type::kRecovered);
  EXPECT_EQ(told[1].reason, "probe_succeeded");
  EXPECT_EQ(Key(0).uses, uses);
  EXPECT_EQ(Key(0).successes, 0u);
  EXPECT_EQ(pool_->Snapshot(now_).acquired, 1u);
  for (int i = 0; i < 10; ++i) Tell(Get(), Success());
  EXPECT_EQ(Key(0).uses, uses + 5);
  EXPECT_EQ(pool_->NextProbe(), absl::InfiniteFuture());
}

TEST_F(PoolProbeTest, OtherAnswersSayNothingOfTheKey) {
  Start(SpecOf(1));
  Disable(0, 1);
  Evidence connect;
  connect.transport_error = TransportError::kConnect;
  for (const Evidence& evidence : {Status(500), Status(429), Status(404), Status(302), Status(402), connect}) {
    ExpectNextAfter(absl::Minutes(10));
    ASSERT_EQ(Take().size(), 1u);
    Answer(0, evidence);
    EXPECT_EQ(State(0), KeyState::kDisabled);
    EXPECT_EQ(Key(0).reason, "auth");
  }
  ExpectNextAfter(absl::Minutes(10));
}

// Not every ten seconds for good. An answer that tells ends that.
TEST_F(PoolProbeTest, WithoutAnAnswerItComesAtGrowingIntervalsUpToTenMinutes) {
  PoolSpec spec = SpecOf(1);
  spec.keys[0].probe_interval = absl::Seconds(10);
  Start(spec);
  Disable(0, 1);
  for (const int seconds : {10, 20, 40, 80, 160, 320, 600, 600}) {
    ExpectNextAfter(absl::Seconds(seconds));
    ASSERT_EQ(Take().size(), 1u);
    Answer(0, Status(500));
  }
  GoTo(pool_->NextProbe());
  ASSERT_EQ(Take().size(), 1u);
  Answer(0, Status(401));
  ExpectNextAfter(absl::Seconds(20));
}

// Some providers list their models for everybody.
TEST_F(PoolProbeTest, AProbeThatSucceededForNothingCounts) {
  Start(SpecOf(2));
  for (int minutes : {10, 20, 40}) {
    Disable(0, 2);
    ExpectNextAfter(absl::Minutes(minutes));
    Take();
    Answer(0, Success());
    EXPECT_EQ(State(0), KeyState::kActive);
  }
  Tell(GetKey(0, 2), Success());
  Disable(0, 2);
  ExpectNextAfter(absl::Minutes(10));
}

TEST_F(PoolProbeTest, WhereProbesAreOffOneLeaseAtATimeTries) {
  PoolSpec spec = SpecOf(2);
  Start(spec);
  Disable(0, 2);
  for (KeySpec& key : spec.keys) key.probe_interval = absl::ZeroDuration();
  pool_->Reconfigure(spec, now_);
  EXPECT_EQ(pool_->NextProbe(), absl::InfiniteFuture());
  for (int minutes : {20, 40, 80}) {
    GoTo(Key(0).available_at - kMs);
    EXPECT_EQ(Get().key, 1u);
    Pass(kMs);
    const Grant trial = Get();
    EXPECT_EQ(trial.key, 0u);
    EXPECT_TRUE(trial.trial);
    EXPECT_EQ(Get().key, 1u);
    Tell(trial, Status(401));
    EXPECT_EQ(Key(0).reason, "auth");
    EXPECT_GE(Key(0).available_at - now_, 0.9 * absl::Minutes(minutes));
    EXPECT_LE(Key(0).available_at - now_, 1.1 * absl::Minutes(minutes));
  }
  GoTo(Key(0).available_at);
  Tell(Get(), Success());
  EXPECT_EQ(State(0), KeyState::kActive);
}

TEST_F(PoolProbeTest, CanBeTurnedOn) {
  PoolSpec spec = SpecOf(1);
  Start(spec);
  Disable(0, 1);
  const absl::Time due = Key(0).available_at;
  spec.keys[0].probe_interval = absl::ZeroDuration();
  pool_->Reconfigure(spec, now_);
  spec.keys[0].probe_interval = absl::Seconds(30);
  pool_->Reconfigure(spec, now_);
  EXPECT_EQ(pool_->NextProbe(), due);
}

TEST_F(PoolProbeTest, KeysThatLeaveAreNotProbed) {
  Start(SpecOf(2));
  Disable(1, 2);
  const Grant held = GetKey(0, 2);
  pool_->Reconfigure(SpecOf(1), now_);
  EXPECT_EQ(pool_->NextProbe(), absl::InfiniteFuture());
  Answer(1, Success());
  pool_->Reconfigure(SpecOf(2, "weighted"), now_);
  EXPECT_EQ(State(1), KeyState::kDisabled);  // as it was
  Tell(held, Success());
  GoTo(pool_->NextProbe());
  EXPECT_EQ(Take(), std::vector<KeyIndex>{1});
  pool_->Reconfigure(SpecOf(2), now_);
  EXPECT_TRUE(Take().empty());
}

TEST_F(PoolProbeTest, AStoredDisableIsProbedWhenItWouldHaveBeen) {
  KeySnapshot saved;
  saved.state = KeyState::kDisabled;
  saved.reason = "auth";
  saved.available_at = now_ + absl::Minutes(3);
  saved.last_used = saved.last_failure = saved.last_success = absl::InfinitePast();
  Start(SpecOf(1));
  pool_->Restore("fp0", saved, now_);
  EXPECT_EQ(pool_->NextProbe(), now_ + absl::Minutes(3));
}

// No list of models, or one that a key may not see: a lease decides, once for each probe that says nothing.
TEST_F(PoolProbeTest, WhereTheProbeSaysNothingOneLeaseTries) {
  for (const int status : {403, 404, 405}) {
    Start(SpecOf(2));
    Disable(0, 2);
    for (const int minutes : {10, 20, 40}) {
      EXPECT_EQ(Get().key, 1u);
      GoTo(pool_->NextProbe());
      ASSERT_EQ(Take(), std::vector<KeyIndex>{0});
      Answer(0, Status(status));
      const Grant trial = Get();
      EXPECT_EQ(trial.key, 0u);
      EXPECT_TRUE(trial.trial);
      EXPECT_EQ(Get().key, 1u);
      Tell(trial, Status(minutes == 20 ? 500 : 401));
      EXPECT_EQ(Key(0).reason, "auth");
      EXPECT_EQ(Get().key, 1u);
      EXPECT_GE(pool_->NextProbe() - now_, 0.9 * absl::Minutes(10));
    }
    GoTo(pool_->NextProbe());
    Take();
    Answer(0, Status(status));
    Tell(Get(), Success());
    EXPECT_EQ(State(0), KeyState::kActive);
  }
}

TEST_F(PoolProbeTest, TellsWhatTriesADisabledKeyAndWhen) {
  Start(SpecOf(2));
  EXPECT_EQ(Key(0).tried_by, TriedBy::kNobody);
  Disable(0, 2);
  EXPECT_EQ(Key(0).tried_by, TriedBy::kProbe);
  EXPECT_EQ(Key(0).next_try, pool_->NextProbe());
  EXPECT_EQ(Transitions().back().tried_by, TriedBy::kProbe);
  GoTo(pool_->NextProbe());
  Take();
  Answer(0, Status(404));
  EXPECT_EQ(Key(0).tried_by, TriedBy::kRequest);
  EXPECT_EQ(Key(0).next_try, now_);
  const Transition told = Transitions().back();
  EXPECT_EQ(told.type, Transition::Type::kDisabled);
  EXPECT_EQ(told.tried_by, TriedBy::kRequest);
  EXPECT_EQ(told.next_try, now_);
  Tell(Get(), Status(401));
  EXPECT_EQ(Key(0).tried_by, TriedBy::kRequest);
  EXPECT_EQ(Key(0).next_try, pool_->NextProbe());
  PoolSpec spec = SpecOf(2);
  spec.access = 1;
  pool_->Reconfigure(spec, now_);
  EXPECT_EQ(Key(0).tried_by, TriedBy::kProbe);
  for (KeySpec& key : spec.keys) key.probe_interval = absl::ZeroDuration();
  pool_->Reconfigure(spec, now_);
  EXPECT_EQ(Key(0).tried_by, TriedBy::kRequest);
}

TEST_F(PoolProbeTest, WordsTellWhatTheStatusDoesNot) {
  for (const auto& [status, code, refuses] : std::vector<std::tuple<int, std::string, bool>>{
           {400, "API_KEY_INVALID", true}, {403, "CONSUMER_SUSPENDED", true}, {403, "PERMISSION_DENIED", false}}) {
    Start(SpecOf(2));
    Tell(GetKey(0, 2), Status(401));
    GoTo(pool_->NextProbe());
    ASSERT_EQ(Take(), std::vector<KeyIndex>{0});
    Evidence evidence = Status(status);
    evidence.error_code = code;
    Answer(0, evidence);
    EXPECT_EQ(State(0) == KeyState::kDisabled, refuses) << code;
  }
}

// The provider's list of models refuses keys that serve: it says nothing of the others either.
TEST_F(PoolProbeTest, AProbeThatRefusesGoodKeysIsNotBelieved) {
  Start(SpecOf(3));
  Tell(GetKey(1, 3), Success());
  Disable(0, 3);
  ASSERT_EQ(Take(), std::vector<KeyIndex>{1}) << "the control";
  Answer(1, Status(401));
  EXPECT_EQ(State(1), KeyState::kActive);
  const Grant trial = Get();
  EXPECT_EQ(trial.key, 0u);
  Tell(trial, Success());
  EXPECT_EQ(State(0), KeyState::kActive);
  Tell(GetKey(2, 3), Status(401));
  GoTo(pool_->NextProbe());
  ASSERT_EQ(Take(), std::vector<KeyIndex>{2});
  Answer(2, Status(401));
  EXPECT_NE(State(2), KeyState::kDisabled);
}

TEST_F(PoolProbeTest, AProbeThatLetsGoodKeysPassIsBelieved) {
  Start(SpecOf(2));
  Tell(GetKey(1, 2), Success());
  Disable(0, 2);
  ASSERT_EQ(Take(), std::vector<KeyIndex>{1});
  Answer(1, Success());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Get().key, 1u);
    GoTo(pool_->NextProbe());
    ASSERT_EQ(Take(), std::vector<KeyIndex>{0});
    Answer(0, Status(401));
  }
}

}  // namespace
}  // namespace ccr::core
