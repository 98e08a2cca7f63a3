// The weighted strategy: exact shares, no bursts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "tests/broker/core/strategy_testing.h"

namespace ccr::core {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

// The longest run of one key in `picks`, taken as a cycle.
int LongestRun(const std::vector<KeyIndex>& picks) {
  int longest = 0, run = 0;
  for (size_t i = 0; i < 2 * picks.size(); ++i) {
    run = i > 0 && picks[i % picks.size()] == picks[(i - 1) % picks.size()] ? run + 1 : 1;
    longest = std::max(longest, run);
  }
  return longest;
}

// One cycle of nginx's smooth weighted round robin: every peer gains its weight, the highest is picked and loses the
// total.
std::vector<KeyIndex> NginxCycle(const std::vector<double>& weights) {
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<double> current(weights.size());
  std::vector<KeyIndex> picks;
  for (int i = 0; i < total; ++i) {
    for (size_t k = 0; k < weights.size(); ++k) current[k] += weights[k];
    const auto best = std::max_element(current.begin(), current.end());
    *best -= total;
    picks.push_back(static_cast<KeyIndex>(best - current.begin()));
  }
  return picks;
}

struct Shares {
  std::vector<double> weights;
  std::vector<int> cycle;  // uses of each key in one cycle
};

class WeightedSharesTest : public ::testing::TestWithParam<Shares> {};

TEST_P(WeightedSharesTest, AreExactOverEveryCycle) {
  const auto& [weights, cycle] = GetParam();
  StrategyBench bench("weighted");
  bench.AddKeys(weights);
  const int length = std::accumulate(cycle.begin(), cycle.end(), 0);
  for (int i = 0; i < 5000; ++i) {
    ASSERT_THAT(bench.Count(length, static_cast<KeyIndex>(cycle.size())), ElementsAreArray(cycle)) << "cycle " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(, WeightedSharesTest,
                         ::testing::Values(Shares{{1, 2, 3}, {1, 2, 3}}, Shares{{5, 1, 1}, {5, 1, 1}},
                                           Shares{{7, 11, 13}, {7, 11, 13}}, Shares{{0.5, 1.5}, {1, 3}},
                                           Shares{{0.1, 0.2, 0.7}, {1, 2, 7}}, Shares{{1, 1, 1, 1}, {1, 1, 1, 1}},
                                           Shares{{1e6, 1e6 / 2}, {2, 1}}, Shares{{1e-6, 3e-6}, {1, 3}},
                                           Shares{{0.000007, 0.000021}, {1, 3}}, Shares{{97, 89}, {97, 89}},
                                           Shares{{40, 1, 1, 1}, {40, 1, 1, 1}}));

TEST(WeightedTest, DoesNotDriftOverMillionsOfTurns) {
  StrategyBench bench("weighted");
  bench->Reserve(2);
  bench->AddKey(0, {.weight = 524'288});
  bench->AddKey(1, {.weight = 524'287.750001});  // smaller by one part in 2^21
  for (int i = 0; i < 3 << 21; ++i) {
    for (const KeyIndex key : {0, 1}) bench->OnLeased(key, bench.Now());
  }
  for (const KeyIndex key : {0, 1}) bench->Insert(key);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bench.Use(), 0u);
  EXPECT_EQ(bench.Use(), 1u);
}

TEST(WeightedTest, RunsAreHardlyLongerThanNginxs) {
  const uint64_t seed = 20;
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  std::vector<std::vector<double>> cases = {{1, 2, 3}, {5, 1, 1}, {7, 11, 13}, {100, 1, 1}, {10, 1, 1, 1, 1, 1}};
  for (int i = 0; i < 300; ++i) {
    cases.emplace_back(2 + random() % 7);
    for (double& weight : cases.back()) weight = static_cast<double>(1 + random() % 20);
  }
  for (const std::vector<double>& weights : cases) {
    StrategyBench bench("weighted");
    bench.AddKeys(weights);
    const std::vector<KeyIndex> nginx = NginxCycle(weights);
    std::vector<KeyIndex> ours(nginx.size());
    for (KeyIndex& key : ours) key = bench.Use();
    EXPECT_LE(LongestRun(ours), LongestRun(nginx) + 1) << ::testing::PrintToString(weights);
  }
}

TEST(WeightedTest, AReturningKeyDoesNotCatchUp) {
  StrategyBench bench("weighted");
  bench.AddKeys({1, 1, 2});
  bench->Erase(2);
  bench.Count(1000, 3);
  bench->Insert(2);
  const std::vector<int> counts = bench.Count(400, 3);
  EXPECT_NEAR(counts[0], 100, 1);
  EXPECT_NEAR(counts[1], 100, 1);
  EXPECT_NEAR(counts[2], 200, 2);
}

TEST(WeightedTest, LeavingAndReturningGainsNothing) {
  StrategyBench bench("weighted");
  bench.AddKeys({1, 1});
  std::vector<int> counts(2);
  for (int i = 0; i < 1000; ++i) {
    const KeyIndex key = bench.Use();
    ++counts[key];
    bench->Erase(key);
    bench->Insert(key);
  }
  EXPECT_THAT(counts, ElementsAre(500, 500));
}

TEST(WeightedTest, AGrantOutOfTurnUsesUpATurn) {
  StrategyBench bench("weighted");
  bench.AddKeys({1, 1});
  for (int i = 0; i < 3; ++i) bench->OnLeased(0, bench.Now());
  EXPECT_THAT(bench.Count(97, 2), ElementsAre(47, 50));
}

TEST(WeightedTest, ExclusionsAreMadeUpFor) {
  StrategyBench bench("weighted");
  bench.AddKeys({1, 1});
  EXPECT_THAT(bench.Count(10, 2, {0}), ElementsAre(0, 10));
  EXPECT_THAT(bench.Count(90, 2), ElementsAre(50, 40));
}

TEST(WeightedTest, ANewWeightHoldsFromNowOn) {
  StrategyBench bench("weighted");
  bench.AddKeys({1, 1});
  bench.Count(1000, 2);
  bench->UpdateKey(0, {.weight = 9});
  const std::vector<int> counts = bench.Count(1000, 2);
  EXPECT_NEAR(counts[0], 900, 1);
  bench->UpdateKey(0, {.weight = 1});
  EXPECT_NEAR(bench.Count(1000, 2)[0], 500, 1);
}

TEST(WeightedTest, AHeavierKeyDoesNotSitOutItsOldWait) {
  StrategyBench bench("weighted");
  bench.AddKeys({0.001, 1});
  bench->OnLeased(0, bench.Now());
  bench->UpdateKey(0, {.weight = 1});
  EXPECT_GE(bench.Count(6, 2)[0], 2);
}

TEST(WeightedTest, WeightsOutOfRangeAreClamped) {
  const double huge = std::numeric_limits<double>::infinity();
  for (const auto& [weight, clamped] : std::vector<std::pair<double, double>>{{1e-9, 1e-6}, {huge, 1e6}, {2e6, 1e6}}) {
    StrategyBench bench("weighted");
    bench.AddKeys({weight, clamped});
    EXPECT_THAT(bench.Count(1000, 2), ElementsAre(500, 500)) << weight;
  }
}

TEST(WeightedTest, AKeyInTheSlotOfARemovedOneStartsAfresh) {
  StrategyBench bench("weighted");
  bench.AddKeys({1, 1});
  for (int i = 0; i < 100; ++i) bench->OnLeased(0, bench.Now());
  bench->Erase(0);
  bench->RemoveKey(0);
  bench->AddKey(0, {.weight = 1});
  bench->Insert(0);
  EXPECT_NEAR(bench.Count(100, 2)[0], 50, 1);
}

}  // namespace
}  // namespace ccr::core
