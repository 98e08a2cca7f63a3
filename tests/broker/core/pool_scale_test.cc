// A pick must not depend on the pool's size.
#include <malloc.h>

#include "tests/broker/core/pool_fixture.h"

namespace ccr::core {
namespace {

constexpr uint32_t kKeys = 100'000;
constexpr uint64_t kSessions = 1000;

class PoolScaleTest : public PoolTest, public testing::WithParamInterface<const char*> {
 protected:
  void Turn(const Evidence& evidence) {
    Pass(1 * kMs);
    const SessionHash session = random_() % kSessions;
    const LeaseResult result = pool_->Lease({NewId(), kNoOwner, {}, session}, now_, random_);
    pool_->Apply({std::get<Grant>(result).id, evidence, 0, 0}, now_, random_);
    pool_->TakeTransitions(&transitions_);
  }

  std::vector<Transition> transitions_;
};

INSTANTIATE_TEST_SUITE_P(, PoolScaleTest,
                         testing::Values("round_robin", "random", "weighted", "least_used", "least_in_flight",
                                         "lowest_latency", "fill_first"),
                         [](const auto& test) { return std::string(test.param); });

// Twenty thousand turns at a hundred thousand keys: a scan of all keys in any of them would take minutes.
TEST_P(PoolScaleTest, TurnsNeitherScanNorGrow) {
  PoolSpec spec = SpecOf(kKeys, GetParam());
  for (KeySpec& key : spec.keys) {
    key.max_concurrent = 8;
    key.cooldown = absl::Milliseconds(1'500);
  }
  Start(spec);
  const Evidence success = Success();
  const Evidence limited = Status(429);
  // Fills the memory of ended leases.
  for (int i = 0; i < 17'000; ++i) Turn(i % 10 == 0 ? limited : success);
  const size_t before = mallinfo2().uordblks;
  for (int i = 0; i < 20'000; ++i) Turn(i % 10 == 0 ? limited : success);
  EXPECT_EQ(mallinfo2().uordblks, before);
  EXPECT_EQ(pool_->Snapshot(now_).in_flight, 0u);
}

TEST_F(PoolTest, RefusalsDoNotScanEither) {
  Start(SpecOf(kKeys));
  for (uint32_t i = 0; i < kKeys; ++i) Tell(Get(), Status(429, absl::Seconds(100)));
  const absl::Time first = Key(0).available_at;
  for (int i = 0; i < 20'000; ++i) EXPECT_EQ(Refused().retry_at, first);
  GoTo(first);
  Get();
}

// With a lock held for each step: keys that come back at once come back in several, and nobody waits for all.
TEST_F(PoolTest, KeysThatComeBackAtOnceDoNotInOneStep) {
  constexpr size_t kStep = 512;
  constexpr uint32_t kMany = 10'000;
  for (const bool of_model : {false, true}) {
    Start(SpecOf(kMany));
    Pool::LeaseArgs args{NewId(), kNoOwner, {}};
    args.model = "big";
    Evidence limited = Status(429, absl::Hours(1));
    limited.model_only = of_model;
    const absl::Time back = now_ + absl::Hours(1);
    for (uint32_t i = 0; i < kMany; ++i) {
      args.id = NewId();
      Tell(std::get<Grant>(pool_->Lease(args, now_, random_)), limited);
    }
    Transitions();
    GoTo(back);
    args.id = NewId();
    ASSERT_TRUE(std::holds_alternative<Grant>(pool_->Lease(args, now_, random_)));
    EXPECT_EQ(pool_->NextDue(), now_);
    size_t steps = 0;
    size_t recovered = 0;
    for (; pool_->NextDue() <= now_; ++steps) {
      ASSERT_TRUE(Poll().empty());
      const size_t some = CountOf(Transition::Type::kRecovered);
      EXPECT_LE(some, 2 * kStep) << "the lease was a step too";
      recovered += some;
      if (steps == 1) {
        args.id = NewId();
        ASSERT_TRUE(std::holds_alternative<Grant>(pool_->Lease(args, now_, random_)));
      }
    }
    EXPECT_GE(steps, kMany / kStep - 2);
    EXPECT_LE(steps, kMany / kStep + 1);
    EXPECT_EQ(recovered, of_model ? 0 : kMany);
    uint32_t served = 2;  // above
    for (args.id = NewId(); std::holds_alternative<Grant>(pool_->Lease(args, now_, random_)); args.id = NewId())
      ++served;
    EXPECT_EQ(served, kMany) << "each is tried by one request";
  }
}

// Its verdict comes while the key is still to be woken.
TEST_F(PoolTest, AKeyThatIsStillToBeWokenIsNotGranted) {
  constexpr uint32_t kMany = 2'000;
  for (const bool of_model : {false, true}) {
    Start(SpecOf(kMany));
    Pool::LeaseArgs args{NewId(), kNoOwner, {}};
    args.model = "big";
    std::vector<Grant> held;
    for (uint32_t i = 0; i < 2 * kMany; ++i) {
      args.id = NewId();
      held.push_back(std::get<Grant>(pool_->Lease(args, now_, random_)));
    }
    Evidence limited = Status(429, absl::Hours(1));
    limited.model_only = of_model;
    const absl::Time back = now_ + absl::Hours(1);
    std::vector<bool> tried(kMany);
    std::vector<Grant> rest;
    for (const Grant& grant : held) {
      if (tried[grant.key]) rest.push_back(grant);
      if (!tried[grant.key]) Tell(grant, limited);
      tried[grant.key] = true;
    }
    GoTo(back);
    std::vector<uint32_t> granted(kMany, 0);
    for (const Grant& grant : rest) Tell(grant, Cancelled());
    while (pool_->NextDue() <= now_) Poll();
    for (uint32_t i = 0; i < kMany; ++i) {
      args.id = NewId();
      const LeaseResult result = pool_->Lease(args, now_, random_);
      ASSERT_TRUE(std::holds_alternative<Grant>(result));
      ++granted[std::get<Grant>(result).key];
    }
    for (const uint32_t count : granted) EXPECT_EQ(count, 1u) << "each is tried by one request";
    EXPECT_EQ(State(0), KeyState::kActive);
  }
}

}  // namespace
}  // namespace ccr::core
