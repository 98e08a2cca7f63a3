// Whose fault a failure upstream is: the key's, the request's, the model's, the host's or the provider's.
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/strategies/strategy.h"
#include "tests/broker/core/pool_fixture.h"

namespace ccr::core {
namespace {

class PoolOutageTest : public PoolTest {
 protected:
  using Provider = std::function<Evidence(KeyIndex key, const std::string& model)>;

  // One request with so many retries, as a proxy sends it: whether it was served. `attempts_` counts.
  bool Serve(const Provider& provider, const std::string& model = "m", uint32_t retries = 2,
             SessionHash session = kNoSession) {
    std::vector<KeyIndex> tried;
    LeaseId last;
    while (true) {
      const LeaseResult result = pool_->Lease({NewId(), kNoOwner, tried, session, last, model}, now_, random_);
      if (!std::holds_alternative<Grant>(result)) return false;
      const Grant grant = std::get<Grant>(result);
      tried.push_back(grant.key);
      last = grant.id;
      ++attempts_;
      const Decision decision = Tell(grant, provider(grant.key, model));
      if (decision.outcome == Outcome::kSuccess) return true;
      if (decision.advice == Advice::kRelay || (decision.advice == Advice::kRetry && retries-- == 0)) return false;
    }
  }
  bool NoneDisabled() {
    for (const KeySnapshot& key : pool_->Snapshot(now_).keys) {
      if (key.state == KeyState::kDisabled) return false;
    }
    return true;
  }

  // Whether a probe was due; it is answered at once.
  bool Probe(const Evidence& evidence) {
    std::vector<KeyIndex> keys;
    pool_->TakeProbes(10, now_, &keys);
    EXPECT_LE(keys.size(), 1u);
    for (KeyIndex key : keys) pool_->OnProbe(key, evidence, now_, random_);
    return !keys.empty();
  }
  absl::Time RetryAt() { return pool_->Snapshot(now_).circuit_retry_at; }
  // Requests, and probes where they are due, fail for a minute.
  void Suffer(int* probes) {
    Start(SpecOf(4));
    for (int i = 0; i < 600; ++i, Pass(absl::Milliseconds(100))) {
      Serve([](KeyIndex, const std::string&) { return Status(500); });
      *probes += Probe(Status(500));
    }
    if (RetryAt() - now_ < absl::Seconds(10)) GoTo(RetryAt());
    Serve([](KeyIndex, const std::string&) { return Status(500); });
    ASSERT_EQ(Circuit(), CircuitState::kOpen);
    ASSERT_GT(RetryAt(), now_ + absl::Seconds(10));
  }

  int attempts_ = 0;
};

Evidence Fails(KeyIndex, const std::string&) {
  return Status(500);
}
Evidence Works(KeyIndex, const std::string&) {
  return Success();
}

TEST_F(PoolOutageTest, TheOneGoodKeyServesEverythingUnderEveryStrategy) {
  for (const std::string_view strategy : StrategyNames()) {
    for (const uint32_t retries : {2U, 1U, 0U}) {
      Start(SpecOf(3, std::string(strategy)));
      const auto provider = [](KeyIndex key, const std::string&) { return key == 2 ? Success() : Status(500); };
      int errors = 0, opened = 0;
      const absl::Time start = now_;
      for (int i = 0; i < 2400; ++i, Pass(absl::Milliseconds(500))) {
        errors += !Serve(provider, "m", retries);
        opened += Circuit() != CircuitState::kClosed;
      }
      EXPECT_EQ(opened, 0) << strategy << " " << retries;
      // Without a retry each failure of a bad key is an error: what comes before it is disabled, and its trials.
      EXPECT_LE(errors, retries == 2 ? 0 : retries == 1 ? 5 : 30) << strategy << " " << retries;
      EXPECT_EQ(State(0), KeyState::kDisabled) << strategy << " " << retries;
      EXPECT_EQ(State(1), KeyState::kDisabled) << strategy << " " << retries;
      EXPECT_GT(now_, start);
    }
  }
}

TEST_F(PoolOutageTest, AnOutageDisablesNoKeyAndIsOverSoon) {
  for (const std::string_view strategy : StrategyNames()) {
    Start(SpecOf(6, std::string(strategy)));
    for (int i = 0; i < 60; ++i, Pass(absl::Milliseconds(100))) Serve(Works);
    for (int i = 0; i < 600; ++i, Pass(absl::Milliseconds(100))) Serve(Fails);
    EXPECT_TRUE(NoneDisabled()) << strategy;
    if (Circuit() == CircuitState::kOpen) GoTo(pool_->Snapshot(now_).circuit_retry_at);
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(Serve(Works)) << strategy;
  }
}

TEST_F(PoolOutageTest, OneFailingModelStopsNoOther) {
  for (const int status : {500, 503, 529}) {
    Start(SpecOf(4));
    const auto provider = [status](KeyIndex, const std::string& model) {
      return model == "bad" ? Status(status) : Success();
    };
    int stopped = 0;
    for (int i = 0; i < 600; ++i, Pass(absl::Milliseconds(100))) {
      stopped += !Serve(provider, "bad");
      EXPECT_TRUE(Serve(provider, "good")) << status << " " << i;
    }
    EXPECT_EQ(stopped, 600);
    EXPECT_LT(attempts_, 600 + 300) << "its circuit is open";
    EXPECT_TRUE(NoneDisabled());
    attempts_ = 0;
  }
}

TEST_F(PoolOutageTest, TwoFailingModelsAreTheProvider) {
  Start(SpecOf(2));
  for (const char* model : {"a", "a", "b", "b"}) Serve(Fails, model, 1);
  EXPECT_FALSE(Serve(Works, "c"));
  EXPECT_EQ(Circuit(), CircuitState::kOpen);
}

TEST_F(PoolOutageTest, ASuccessOfAModelCountsWhileAnotherIsHeldBack) {
  PoolSpec spec = SpecOf(2);
  for (KeySpec& key : spec.keys) key.cooldown = absl::Seconds(1);
  Start(spec);
  for (int i = 0; i < 2; ++i) Serve(Fails, "a", 1);
  ASSERT_NE(Circuit(), CircuitState::kClosed);
  Serve(Fails, "b", 1);
  Pass(absl::Seconds(3));
  EXPECT_TRUE(Serve(Works, "b"));
  Serve(Fails, "b", 1);
  Pass(absl::Seconds(3));
  EXPECT_TRUE(Serve(Works, "c"));
}

TEST_F(PoolOutageTest, AKeyThatMayNotServeTheModelKeepsNoCircuitClosed) {
  PoolSpec spec = SpecOf(3);
  spec.keys[0].models = {"other"};
  Start(spec);
  for (int i = 0; i < 2; ++i) Serve(Fails, "m", 0);
  EXPECT_EQ(Circuit(), CircuitState::kOpen);
  EXPECT_TRUE(Serve(Works, "other"));
}

TEST_F(PoolOutageTest, ARequestThatFailsEachTimeIsNotTheirFault) {
  Start(SpecOf(3));
  int errors = 0;
  for (int i = 0; i < 1200; ++i, Pass(absl::Milliseconds(250))) {
    errors += !Serve(Works);
    if (i % 4 == 1) Serve(Fails, "m", 2, /*session=*/7);
    EXPECT_EQ(Circuit(), CircuitState::kClosed);
    EXPECT_TRUE(NoneDisabled());
  }
  EXPECT_EQ(errors, 0);
}

TEST_F(PoolOutageTest, OneRequestAloneOpensNothing) {
  Start(SpecOf(3));
  Serve(Fails);
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
  EXPECT_TRUE(Serve(Works));
}

// It has the pool for itself; others wait a second for their turn, not thirty.
TEST_F(PoolOutageTest, WhoFailsAloneDoesNotProlongTheWaitOfOthers) {
  Start(SpecOf(2));
  for (int i = 0; i < 200; ++i, Pass(absl::Milliseconds(200))) Serve(Fails, "m", 1, /*session=*/7);
  const absl::Duration wait = pool_->Snapshot(now_).circuit_retry_at - now_;
  EXPECT_LE(wait, absl::Milliseconds(1100));
}

TEST_F(PoolOutageTest, AHostThatIsNotReachedIsNoKeysFault) {
  for (const TransportError error : {TransportError::kConnect, TransportError::kConnectTimeout, TransportError::kName,
                                     TransportError::kRefused, TransportError::kTls, TransportError::kProxy}) {
    Start(SpecOf(4));
    Evidence evidence;
    evidence.transport_error = error;
    Tell(Get(), evidence);
    EXPECT_EQ(Tell(Get(), evidence).advice, Advice::kRetry);
    Tell(Get(), Status(400));
    Tell(Get(), evidence);
    Tell(Get(), evidence);
    EXPECT_EQ(Circuit(), CircuitState::kClosed);
    Tell(Get(), evidence);
    EXPECT_EQ(Circuit(), CircuitState::kOpen);
    for (KeyIndex key = 0; key < 4; ++key) {
      EXPECT_EQ(State(key), KeyState::kActive);
      EXPECT_EQ(Key(key).consecutive_failures, 0u);
    }
    GoTo(pool_->Snapshot(now_).circuit_retry_at);
    EXPECT_TRUE(Serve(Works));
    EXPECT_EQ(Circuit(), CircuitState::kClosed);
  }
}

TEST_F(PoolOutageTest, AProbeFindsItsEndBeforeTheNextTrial) {
  int probes = 0;
  Suffer(&probes);
  EXPECT_GE(probes, 20);
  EXPECT_LE(probes, 40);
  const absl::Time planned = RetryAt();
  ASSERT_LE(pool_->NextProbe(), now_ + absl::Seconds(7));
  GoTo(pool_->NextProbe());
  ASSERT_TRUE(Probe(Success()));
  EXPECT_EQ(Circuit(), CircuitState::kHalfOpen);
  EXPECT_LT(now_, planned);
  EXPECT_TRUE(Serve(Works));
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
  EXPECT_EQ(pool_->NextProbe(), absl::InfiniteFuture());
}

TEST_F(PoolOutageTest, AProbeThatDoesNotSeeItCallsForNoTrial) {
  int probes = 0;
  Suffer(&probes);
  GoTo(pool_->NextProbe());
  ASSERT_TRUE(Probe(Success()));
  Serve(Fails);
  EXPECT_EQ(Circuit(), CircuitState::kOpen);
  EXPECT_EQ(pool_->NextProbe(), absl::InfiniteFuture()) << "it has called in vain";

  Start(SpecOf(4));
  while (Circuit() == CircuitState::kClosed) Serve(Fails);
  const absl::Time planned = RetryAt();
  GoTo(pool_->NextProbe());
  ASSERT_TRUE(Probe(Success())) << "the first one already";
  EXPECT_EQ(Circuit(), CircuitState::kOpen);
  EXPECT_EQ(RetryAt(), planned);
  EXPECT_EQ(pool_->NextProbe(), absl::InfiniteFuture());
}

TEST_F(PoolOutageTest, NoProbeComesWithinAnAnnouncedRest) {
  Start(SpecOf(4));
  while (Circuit() == CircuitState::kClosed) Tell(Get(), Status(503, absl::Seconds(20)));
  EXPECT_EQ(pool_->NextProbe(), absl::InfiniteFuture());
}

TEST_F(PoolOutageTest, ATimeOutOfTheAnswerIsTheKeys) {
  Start(SpecOf(4));
  Evidence evidence;
  evidence.transport_error = TransportError::kFirstByteTimeout;
  Tell(GetKey(0, 4), evidence);
  EXPECT_EQ(State(0), KeyState::kCooling);
}

}  // namespace
}  // namespace ccr::core
