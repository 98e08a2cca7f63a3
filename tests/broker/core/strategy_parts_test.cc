// The data structures and formulas under the strategies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "broker/core/strategies/dense_set.h"
#include "broker/core/strategies/indexed_heap.h"
#include "broker/core/strategies/peak_ewma.h"

namespace ccr::core {
namespace {

using ::testing::UnorderedElementsAre;
using Keys = std::vector<KeyIndex>;

KeyIndex Draw(std::mt19937_64& random, KeyIndex bound) {
  return static_cast<KeyIndex>(random() % bound);
}

TEST(IndexedHeapTest, AgreesWithASortedMap) {
  constexpr KeyIndex kKeys = 60;
  std::mt19937_64 random(7);
  IndexedHeap<int> heap;
  heap.Reserve(kKeys);
  std::map<KeyIndex, int> model;
  for (int step = 0; step < 20'000; ++step) {
    const KeyIndex key = Draw(random, kKeys);
    const int rank = static_cast<int>(Draw(random, 20));
    ASSERT_EQ(heap.Contains(key), model.contains(key));
    if (!model.contains(key)) {
      heap.Insert(key, rank);
      model[key] = rank;
    } else if (random() % 2 == 0) {
      heap.Update(key, rank);
      model[key] = rank;
    } else {
      heap.Erase(key);
      model.erase(key);
    }
    std::vector<KeyIndex> excluded(Draw(random, 12));
    for (KeyIndex& each : excluded) each = Draw(random, kKeys);
    std::set<std::pair<int, KeyIndex>> wanted;
    for (const auto& [k, r] : model) {
      if (!Excluded(excluded).Has(k)) wanted.emplace(r, k);
    }
    ASSERT_EQ(heap.BestExcept(excluded), wanted.empty() ? kNoKey : wanted.begin()->second) << "step " << step;
  }
}

TEST(IndexedHeapTest, EqualRanksGoByIndex) {
  IndexedHeap<int> heap;
  heap.Reserve(3);
  for (const KeyIndex key : {2, 0, 1}) heap.Insert(key, 5);
  EXPECT_EQ(heap.BestExcept(Keys{}), 0u);
  EXPECT_EQ(heap.BestExcept(Keys{0}), 1u);
  EXPECT_EQ(heap.BestExcept(Keys{1, 0}), 2u);
  EXPECT_EQ(heap.BestExcept(Keys{2, 1, 0}), kNoKey);
}

struct CountingRank {
  int value = 0;
  static inline int comparisons = 0;
  friend bool operator<(const CountingRank& a, const CountingRank& b) { return ++comparisons, a.value < b.value; }
};

TEST(IndexedHeapTest, LeavingOutTheBestDoesNotSearchTheRest) {
  constexpr KeyIndex kKeys = 100'000;
  IndexedHeap<CountingRank> heap;
  heap.Reserve(kKeys);
  for (KeyIndex key = 0; key < kKeys; ++key) heap.Insert(key, {static_cast<int>(key)});
  std::vector<KeyIndex> excluded;
  for (KeyIndex m = 0; m <= 64; ++m) {
    CountingRank::comparisons = 0;
    EXPECT_EQ(heap.BestExcept(excluded), m);
    EXPECT_LE(CountingRank::comparisons, 2 * (2 * static_cast<int>(m) + 1));  // a visit compares ranks at most twice
    excluded.push_back(m);
  }
}

std::vector<KeyIndex> First(const DenseSet& set, KeyIndex n) {
  std::vector<KeyIndex> keys;
  for (KeyIndex i = 0; i < n; ++i) keys.push_back(set[i]);
  return keys;
}

TEST(DenseSetTest, InsertsAndErases) {
  DenseSet set;
  set.Reserve(4);
  for (KeyIndex key = 0; key < 4; ++key) set.Insert(key);
  set.Erase(1);
  set.Erase(3);
  EXPECT_FALSE(set.Contains(1));
  EXPECT_THAT(First(set, set.size()), UnorderedElementsAre(0, 2));
  set.Insert(3);
  EXPECT_THAT(First(set, set.size()), UnorderedElementsAre(0, 2, 3));
  for (const KeyIndex key : {0, 2, 3}) set.Erase(key);
  EXPECT_EQ(set.size(), 0u);
}

TEST(DenseSetTest, PartitionPutsTheWantedFirst) {
  DenseSet set;
  set.Reserve(8);
  for (KeyIndex key = 0; key < 6; ++key) set.Insert(key);
  EXPECT_EQ(set.Partition({}), 6u);
  ASSERT_EQ(set.Partition({5, 0, 5, 7, 0}), 4u);  // twice the same, and one that is no member
  EXPECT_THAT(First(set, 4), UnorderedElementsAre(1, 2, 3, 4));
  ASSERT_EQ(set.Partition({1, 2, 3, 4}), 2u);
  EXPECT_THAT(First(set, 2), UnorderedElementsAre(0, 5));
  EXPECT_EQ(set.Partition({0, 1, 2, 3, 4, 5}), 0u);
  for (KeyIndex key = 0; key < 6; ++key) EXPECT_TRUE(set.Contains(key));
}

TEST(PeakEwmaTest, BadNewsCountsAtOnceGoodNewsSlowly) {
  EXPECT_DOUBLE_EQ(PeakEwma(1, 3, absl::Milliseconds(1)), 3);
  EXPECT_DOUBLE_EQ(PeakEwma(1, 3, absl::Hours(1)), 3);
  EXPECT_DOUBLE_EQ(PeakEwma(3, 1, absl::ZeroDuration()), 3);
  EXPECT_DOUBLE_EQ(PeakEwma(3, 1, absl::Seconds(10)), 1 + 2 * std::exp(-1.0));
  EXPECT_DOUBLE_EQ(PeakEwma(3, 1, absl::Seconds(20)), 1 + 2 * std::exp(-2.0));
  EXPECT_DOUBLE_EQ(PeakEwma(0, 2, absl::InfiniteDuration()), 2);
}

TEST(PeakEwmaTest, CostGrowsWithWhatIsInFlight) {
  EXPECT_DOUBLE_EQ(PeakEwmaCost(2, 0, absl::ZeroDuration()), 2);
  EXPECT_DOUBLE_EQ(PeakEwmaCost(2, 1, absl::ZeroDuration()), 4);
  EXPECT_DOUBLE_EQ(PeakEwmaCost(2, 4, absl::Hours(1)), 10);
}

TEST(PeakEwmaTest, TheUnknownAndTheForgottenAreTriedByOneRequestAtATime) {
  EXPECT_EQ(PeakEwmaCost(0, 0, absl::InfiniteDuration()), 0);
  EXPECT_GT(PeakEwmaCost(0, 1, absl::InfiniteDuration()), PeakEwmaCost(600, 1000, absl::ZeroDuration()));
  EXPECT_LT(PeakEwmaCost(0, 1, absl::InfiniteDuration()), PeakEwmaCost(0, 2, absl::InfiniteDuration()));
  EXPECT_DOUBLE_EQ(PeakEwmaCost(2, 0, absl::Seconds(10)), 2 * std::exp(-1.0));
  EXPECT_DOUBLE_EQ(PeakEwmaCost(2, 1, absl::Seconds(10)), 4);
}

}  // namespace
}  // namespace ccr::core
