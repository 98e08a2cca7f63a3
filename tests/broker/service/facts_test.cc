// What a record tells of keys.
#include "broker/service/simulation/facts.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/broker/service/histories.h"

namespace ccr::simulation {
namespace {

TEST(FactsTest, ALimitIsWhatWasServedBeforeItsRefusals) {
  const History history = Limited();
  const PoolFacts facts = FactsOf(history, SpecOf("fill_first", 2).keys, {});
  EXPECT_EQ(facts.keys[0].limit.most, 3);
  EXPECT_TRUE(facts.keys[0].tells_return);
  EXPECT_TRUE(facts.keys[0].spells.empty());
  EXPECT_EQ(facts.keys[1].limit.kind, CallLimit::Kind::kNone);
}

TEST(FactsTest, RefusalsThatTheLimitDoesNotExplainAreRests) {
  std::vector<PastRequest> requests;
  // Ten a minute are served; then a refusal after one, as others use the key; then a long rest.
  for (int i = 0; i < 11; ++i) {
    const absl::Duration at = absl::Seconds(5) * i;
    const Outcome outcome = i < 10 ? Outcome::kSuccess : Outcome::kRateLimited;
    requests.push_back(RequestOf(at, {AttemptOf(0, at, absl::Seconds(1), outcome)}));
  }
  for (const int minute : {10, 20}) {
    const absl::Duration at = absl::Minutes(minute);
    const absl::Duration next = at + absl::Seconds(1);
    requests.push_back(RequestOf(at, {AttemptOf(0, at, absl::Milliseconds(500), Outcome::kSuccess)}));
    requests.push_back(RequestOf(next, {AttemptOf(0, next, absl::Milliseconds(500), Outcome::kRateLimited)}));
    requests.back().attempts[0].retry_after = minute == 10 ? absl::Seconds(40) : absl::Hours(1);
  }
  const PoolFacts facts = FactsOf(HistoryOf(std::move(requests)), SpecOf("fill_first", 1).keys, {});
  const KeyFacts& key = facts.keys[0];
  EXPECT_EQ(key.limit.most, 10);
  ASSERT_EQ(key.spells.size(), 2u);
  EXPECT_EQ(key.spells[0].from, kBegin + absl::Minutes(10) + absl::Seconds(1));
  EXPECT_EQ(key.spells[0].until, kBegin + absl::Minutes(10) + absl::Seconds(41) + absl::Milliseconds(500));
  EXPECT_TRUE(key.spells[0].told);
  EXPECT_EQ(key.spells[1].until - key.spells[1].from, absl::Hours(1) + absl::Milliseconds(500));
}

TEST(FactsTest, LimitsOfModelsAreToldApart) {
  // Every answer tells the bucket of its model: 4 at once and one in 4 s, or 40 and one in a second.
  std::vector<PastRequest> requests;
  for (int i = 0; i < 300; ++i) {
    const absl::Duration at = absl::Seconds(2) * i;
    requests.push_back(RequestOf(at, {AttemptOf(0, at, absl::Seconds(1), Outcome::kSuccess)}));
    const double most = i % 2 == 0 ? 4 : 40;
    const double used = 1 + i % 3;
    requests.back().model = static_cast<uint16_t>(i % 2);
    requests.back().attempts[0].limit =
        ToldLimit{kBegin + at, most, most - used, absl::Seconds(used * (i % 2 == 0 ? 4 : 1))};
  }
  const PoolFacts facts = FactsOf(HistoryOf(std::move(requests)), SpecOf("fill_first", 1).keys, {});
  const KeyFacts& key = facts.keys[0];
  EXPECT_TRUE(key.tells_limit);
  ASSERT_EQ(key.of_models.size(), 2u);
  EXPECT_EQ(key.of_models.at(0).kind, CallLimit::Kind::kBucket);
  EXPECT_NEAR(key.of_models.at(0).rate, 0.25, 0.01);
  EXPECT_EQ(key.of_models.at(1).most, 40);
  EXPECT_NEAR(key.of_models.at(1).rate, 1, 0.01);
}

TEST(FactsTest, AKeyWithoutACallIsAsItIsNow) {
  const History history = Steady(3, absl::Seconds(1), 1);
  std::vector<core::KeySnapshot> states(3);
  for (core::KeyIndex i = 0; i < 3; ++i) states[i].key = i;
  states[1].state = core::KeyState::kDisabled;
  states[1].reason = "auth";
  states[2].state = core::KeyState::kCooling;
  states[2].reason = "insufficient_quota";
  states[2].available_at = kBegin + absl::Hours(2);
  const PoolFacts facts = FactsOf(history, SpecOf("round_robin", 3).keys, states);
  EXPECT_TRUE(facts.keys[0].spells.empty());
  ASSERT_EQ(facts.keys[1].spells.size(), 1u);
  EXPECT_EQ(facts.keys[1].spells[0].outcome, Outcome::kAuth);
  ASSERT_EQ(facts.keys[2].spells.size(), 1u);
  EXPECT_EQ(facts.keys[2].spells[0].outcome, Outcome::kQuota);
  EXPECT_EQ(facts.keys[2].spells[0].until, kBegin + absl::Hours(2));
}

TEST(FactsTest, ARefusalOfTheRequestIsNotTheKeys) {
  const auto refused = [](absl::Duration at) { return AttemptOf(0, at, absl::Milliseconds(50), Outcome::kAuth); };
  History history = HistoryOf({RequestOf(absl::ZeroDuration(), {refused(absl::ZeroDuration())})});
  const core::PoolSpec spec = SpecOf("round_robin", 1);
  EXPECT_EQ(FactsOf(history, spec.keys, {}).keys[0].spells[0].until, kBegin + absl::Milliseconds(50));
  history.probes.push_back({kBegin + absl::Seconds(1), 0, 500});  // says nothing
  EXPECT_EQ(FactsOf(history, spec.keys, {}).keys[0].spells[0].until, kBegin + absl::Milliseconds(50));
  history.probes.push_back({kBegin + absl::Seconds(2), 0, 401});
  EXPECT_EQ(FactsOf(history, spec.keys, {}).keys[0].spells[0].until, absl::InfiniteFuture());
  history.probes.push_back({kBegin + absl::Minutes(9), 0, 200});
  EXPECT_EQ(FactsOf(history, spec.keys, {}).keys[0].spells[0].until, kBegin + absl::Minutes(9));
}

}  // namespace
}  // namespace ccr::simulation
