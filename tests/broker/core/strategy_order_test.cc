// What each strategy promises of its order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/broker/core/strategy_testing.h"

namespace ccr::core {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

constexpr absl::Duration kFailed = -absl::InfiniteDuration();

TEST(RoundRobinTest, IsExactlyEven) {
  StrategyBench bench("round_robin");
  bench.AddKeys({1, 1, 1});
  EXPECT_THAT(bench.Count(300, 3), ElementsAre(100, 100, 100));
}

TEST(RoundRobinTest, ASkippedKeyKeepsItsPlace) {
  StrategyBench bench("round_robin");
  bench.AddKeys({1, 1, 1});
  EXPECT_EQ(bench.Use({0}), 1u);
  EXPECT_EQ(bench.Use({0}), 2u);
  EXPECT_EQ(bench.Use(), 0u);
  EXPECT_EQ(bench.Use(), 1u);
}

TEST(RoundRobinTest, StaysEvenForTheOthersWhenOneLeavesAndReturns) {
  StrategyBench bench("round_robin");
  bench.AddKeys({1, 1, 1, 1});
  std::vector<int> counts(4);
  for (int i = 0; i < 3000; ++i) {
    if (i % 7 == 3) bench->Erase(2);
    if (i % 7 == 5) bench->Insert(2);
    ++counts[bench.Use()];
    const auto [least, most] = std::minmax({counts[0], counts[1], counts[3]});
    ASSERT_LE(most - least, 1) << "after " << i + 1;
  }
  EXPECT_GT(counts[2], 0);
}

TEST(RoundRobinTest, AReturningKeyJoinsAtTheEnd) {
  StrategyBench bench("round_robin");
  bench.AddKeys({1, 1, 1});
  bench->Erase(0);
  EXPECT_EQ(bench.Use(), 1u);
  bench->Insert(0);
  EXPECT_EQ(bench.Use(), 2u);
  EXPECT_EQ(bench.Use(), 1u);
  EXPECT_EQ(bench.Use(), 0u);
}

TEST(RandomTest, IsUniformOverTheNotExcluded) {
  StrategyBench bench("random", 42);
  bench.AddKeys({1, 1, 1, 1, 1, 1});
  bench->Erase(4);
  constexpr int kDraws = 40'000;
  const std::vector<int> counts = bench.Count(kDraws, 6, {1, 4, 1});
  EXPECT_EQ(counts[1], 0);
  EXPECT_EQ(counts[4], 0);
  double chi_squared = 0;
  for (const KeyIndex key : {0, 2, 3, 5}) chi_squared += std::pow(counts[key] - kDraws / 4.0, 2) / (kDraws / 4.0);
  EXPECT_LT(chi_squared, 16.27);  // 3 degrees of freedom, p = 0.001
}

TEST(LeastUsedTest, TakesTurnsByLongestIdle) {
  StrategyBench bench("least_used");
  bench.AddKeys({1, 1, 1});
  EXPECT_EQ(bench.Use({0, 1}), 2u);
  EXPECT_EQ(bench.Use({0}), 1u);
  EXPECT_EQ(bench.Use(), 0u);
  EXPECT_EQ(bench.Use(), 2u);
  EXPECT_EQ(bench.Use(), 1u);
  EXPECT_EQ(bench.Use(), 0u);
}

TEST(LeastUsedTest, EvensOutWhatWasLeasedOutOfTurn) {
  StrategyBench bench("least_used");
  bench.AddKeys({1, 1});
  for (int i = 0; i < 5; ++i) bench->OnLeased(0, bench.Now());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(bench.Use(), 1u);
  EXPECT_THAT(bench.Count(100, 2), ElementsAre(50, 50));
}

TEST(LeastUsedTest, AReturningKeyIsNotFlooded) {
  StrategyBench bench("least_used");
  bench.AddKeys({1, 1, 1});
  bench->Erase(2);
  bench.Count(1000, 3);
  bench->Insert(2);
  EXPECT_EQ(bench.Use(), 2u);
  EXPECT_THAT(bench.Count(299, 3), ElementsAre(100, 100, 99));
}

TEST(LeastUsedTest, AReturningKeyIsNotFloodedEvenWhenItFindsNobody) {
  StrategyBench bench("least_used");
  bench.AddKeys({1, 1});
  bench->Erase(1);
  bench.Count(1000, 2);
  bench->Erase(0);
  bench->Insert(1);
  bench->Insert(0);
  EXPECT_THAT(bench.Count(101, 2), ElementsAre(50, 51));
}

TEST(LeastInFlightTest, FollowsWhatIsInFlightThenLongestIdle) {
  StrategyBench bench("least_in_flight");
  bench.AddKeys({1, 1, 1});
  EXPECT_EQ(bench.Lease(), 0u);
  EXPECT_EQ(bench.Lease(), 1u);
  EXPECT_EQ(bench.Lease(), 2u);
  EXPECT_EQ(bench.Lease(), 0u);
  bench.End(2, kFailed);
  EXPECT_EQ(bench.Lease(), 2u);
  bench.End(0);
  bench.End(0);
  EXPECT_EQ(bench.Lease(), 0u);
  EXPECT_EQ(bench.Lease(), 1u);
}

TEST(LeastInFlightTest, CountsWhileAKeyIsNotEligible) {
  StrategyBench bench("least_in_flight");
  bench.AddKeys({1, 1});
  EXPECT_EQ(bench.Lease({1}), 0u);
  EXPECT_EQ(bench.Lease({1}), 0u);
  bench->Erase(0);
  bench->OnLeased(0, bench.Now());
  bench.End(0);
  bench->Insert(0);
  EXPECT_EQ(bench.Lease(), 1u);
  EXPECT_EQ(bench.Lease(), 1u);
  EXPECT_EQ(bench.Lease(), 0u);
}

TEST(FillFirstTest, UsesTheFirstInTheConfiguration) {
  StrategyBench bench("fill_first");
  bench.AddKeys({1, 1, 1});
  EXPECT_THAT(bench.Count(10, 3), ElementsAre(10, 0, 0));
  EXPECT_EQ(bench.Use({0}), 1u);
  bench->Erase(0);
  EXPECT_EQ(bench.Use(), 1u);
  bench->UpdateKey(2, {.position = 0});
  EXPECT_EQ(bench.Use(), 2u);
  bench->UpdateKey(0, {.position = 3});
  bench->Insert(0);
  EXPECT_EQ(bench.Use({2}), 1u);
}

// Uses every key until each has a sample: `latency` for key 0, 100 ms for the others.
void Warm(StrategyBench& bench, KeyIndex keys, absl::Duration latency) {
  for (KeyIndex key = 0; key < keys; ++key) {
    bench->OnLeased(key, bench.Now());
    bench.End(key, key == 0 ? latency : absl::Milliseconds(100));
  }
}

TEST(LowestLatencyTest, PrefersTheFasterOfTwo) {
  StrategyBench bench("lowest_latency");
  bench.AddKeys({1, 1});
  Warm(bench, 2, absl::Milliseconds(101));
  EXPECT_THAT(bench.Count(100, 2), ElementsAre(0, 100));
}

TEST(LowestLatencyTest, CountsWhatIsInFlight) {
  StrategyBench bench("lowest_latency");
  bench.AddKeys({1, 1});
  Warm(bench, 2, absl::Milliseconds(350));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bench.Lease(), 1u);  // 100, 200, 300 ms
  EXPECT_EQ(bench.Lease(), 0u);                              // 350 < 400 ms
  EXPECT_EQ(bench.Lease(), 1u);                              // 400 < 700 ms
}

TEST(LowestLatencyTest, TriesAnUnknownKeyOnceAtATime) {
  StrategyBench bench("lowest_latency");
  bench.AddKeys({1, 1});
  bench->OnLeased(1, bench.Now());
  bench.End(1, absl::Milliseconds(100));
  EXPECT_EQ(bench.Lease(), 0u);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(bench.Lease(), 1u);
  bench.End(0, kFailed);
  EXPECT_EQ(bench.Lease(), 0u);
  bench.End(0, absl::Milliseconds(10));
  EXPECT_EQ(bench.Lease(), 0u);
}

TEST(LowestLatencyTest, ASlowKeyIsForgivenWithTime) {
  StrategyBench bench("lowest_latency");
  bench.AddKeys({1, 1});
  Warm(bench, 2, absl::Seconds(1));
  const auto pick_after = [&](absl::Duration time) {
    bench.Advance(time);
    bench->OnLeased(1, bench.Now());
    bench.End(1);
    return bench.Pick();
  };
  EXPECT_EQ(pick_after(absl::Milliseconds(23'025)), 1u);  // ten times slower: as good after 10 s * ln 10 = 23.0259 s
  EXPECT_EQ(pick_after(absl::Milliseconds(1)), 0u);
  EXPECT_EQ(bench.Lease(), 0u);
  EXPECT_EQ(bench.Lease(), 1u);  // one request at a time
}

TEST(LowestLatencyTest, SpreadsOverEqualKeys) {
  StrategyBench bench("lowest_latency", 3);
  bench.AddKeys(std::vector<double>(10, 1.0));
  Warm(bench, 10, absl::Milliseconds(100));
  EXPECT_THAT(bench.Count(10'000, 10), Each(::testing::AllOf(::testing::Gt(850), ::testing::Lt(1150))));
}

TEST(LowestLatencyTest, TwoChoicesAvoidTheWorst) {
  StrategyBench bench("lowest_latency", 4);
  bench.AddKeys(std::vector<double>(5, 1.0));
  Warm(bench, 5, absl::Seconds(5));
  EXPECT_EQ(bench.Count(1000, 5)[0], 0);
}

TEST(StrategyNamesTest, EveryNameMakesAStrategy) {
  EXPECT_THAT(StrategyNames(), ElementsAre("round_robin", "random", "weighted", "least_used", "least_in_flight",
                                           "lowest_latency", "fill_first"));
  for (const std::string_view name : StrategyNames()) EXPECT_TRUE(MakeStrategy(name).ok()) << name;
}

TEST(StrategyNamesTest, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  const absl::Status status = MakeStrategy("roundrobin").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "unknown strategy \"roundrobin\"; known are: round_robin random weighted least_used least_in_flight "
            "lowest_latency fill_first");
}

}  // namespace
}  // namespace ccr::core
