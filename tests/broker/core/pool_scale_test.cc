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
    const LeaseResult result = pool_->Lease({NewId(), kNobody, {}, session}, now_, random_);
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

}  // namespace
}  // namespace ccr::core
