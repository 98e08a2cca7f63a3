// A key that is overloaded: the provider's state, until other keys show that it is the key's own.
#include "tests/broker/core/pool_fixture.h"

namespace ccr::core {
namespace {

class PoolOverloadTest : public PoolTest {
 protected:
  // One client's request: each lease names the one before.
  struct Request {
    std::vector<KeyIndex> tried;
    LeaseId last;
  };

  // Its next attempt, with a key that is neither tried nor among `others`, is answered so.
  KeyIndex Try(Request* request, const Evidence& evidence, const std::vector<KeyIndex>& others = {}) {
    std::vector<KeyIndex> excluded = request->tried;
    excluded.insert(excluded.end(), others.begin(), others.end());
    const LeaseResult result = pool_->Lease({NewId(), kNoOwner, excluded, kNoSession, request->last}, now_, random_);
    EXPECT_TRUE(std::holds_alternative<Grant>(result));
    if (!std::holds_alternative<Grant>(result)) return kNoKey;
    const Grant& grant = std::get<Grant>(result);
    request->tried.push_back(grant.key);
    request->last = grant.id;
    Tell(grant, evidence);
    return grant.key;
  }
};

TEST_F(PoolOverloadTest, ASecondOverloadIsRelayedWhenNoKeyIsUntried) {
  Start(SpecOf(3));
  const auto overload = [this](KeyIndex key, uint32_t earlier) {
    return pool_->Apply({GetKey(key, 3).id, Status(529), 0, earlier}, now_, random_).advice;
  };
  EXPECT_EQ(overload(0, 0), Advice::kRetry);
  EXPECT_EQ(overload(1, 1), Advice::kRetry) << "the third one may serve it";
  EXPECT_EQ(overload(0, 2), Advice::kRetry);
  EXPECT_EQ(Circuit(), CircuitState::kClosed);
  EXPECT_EQ(overload(2, 3), Advice::kRelay);
  EXPECT_EQ(Circuit(), CircuitState::kOpen);
}

TEST_F(PoolOverloadTest, ManyKeysAreNotAllAskedInAnOverload) {
  Start(SpecOf(100));
  for (uint32_t key = 0; key < 4; ++key)
    EXPECT_EQ(pool_->Apply({GetKey(key, 100).id, Status(503), 0, key}, now_, random_).advice, Advice::kRetry);
  EXPECT_EQ(pool_->Apply({GetKey(4, 100).id, Status(503), 0, 4}, now_, random_).advice, Advice::kRelay);
  EXPECT_EQ(Circuit(), CircuitState::kOpen);
}

// Two keys that are overloaded for ever, one that serves.
TEST_F(PoolOverloadTest, AKeyWhoseOverloadsOthersServeRests) {
  PoolSpec spec = SpecOf(3);
  for (KeySpec& key : spec.keys) key.cooldown.reset();
  Start(spec);
  absl::Duration last;
  for (int round = 1; round <= 5; ++round) {
    Request request;
    EXPECT_EQ(Try(&request, Status(503), {1, 2}), 0u);
    EXPECT_EQ(Try(&request, Status(503), {2}), 1u);
    EXPECT_EQ(Try(&request, Success()), 2u);
    EXPECT_EQ(State(2), KeyState::kActive);
    EXPECT_EQ(Circuit(), CircuitState::kClosed);
    for (const KeyIndex key : {0, 1}) {
      EXPECT_EQ(State(key), round < 3 ? KeyState::kActive : KeyState::kCooling) << round;
      EXPECT_EQ(Key(key).consecutive_failures, 0u);
    }
    if (round < 3) continue;
    EXPECT_EQ(Key(0).reason, "overloaded");
    EXPECT_GT(Key(0).available_at - now_, 1.5 * last);
    last = Key(0).available_at - now_;
    GoTo(std::max(Key(0).available_at, Key(1).available_at));
  }
}

// A provider that turns away every third request.
TEST_F(PoolOverloadTest, OverloadsThatComeAndGoTouchNoKey) {
  Start(SpecOf(3));
  for (int round = 0; round < 30; ++round) {
    Request request;
    if (round % 3 != 0) Try(&request, Status(529));
    Try(&request, Success());
    for (int more = 0; more < 2; ++more) Tell(Get(), Success());
  }
  for (KeyIndex key = 0; key < 3; ++key) {
    EXPECT_EQ(State(key), KeyState::kActive);
    EXPECT_EQ(Key(key).consecutive_failures, 0u);
  }
}

}  // namespace
}  // namespace ccr::core
