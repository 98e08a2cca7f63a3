// What every strategy owes the pool, against a simple model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "broker/core/strategies/excluded.h"
#include "tests/broker/core/strategy_testing.h"

namespace ccr::core {
namespace {

class StrategyContractTest : public ::testing::TestWithParam<std::string_view> {};

INSTANTIATE_TEST_SUITE_P(, StrategyContractTest, ::testing::ValuesIn(StrategyNames().begin(), StrategyNames().end()),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(StrategyContractTest, AnEmptyPoolHasNoKey) {
  StrategyBench bench(GetParam());
  EXPECT_EQ(bench.Pick(), kNoKey);
  bench->Reserve(2);
  bench->AddKey(1, {});
  EXPECT_EQ(bench.Pick(), kNoKey);
  bench->Insert(1);
  EXPECT_EQ(bench.Pick(), 1u);
  EXPECT_EQ(bench.Pick({1}), kNoKey);
  bench->Erase(1);
  EXPECT_EQ(bench.Pick(), kNoKey);
}

TEST_P(StrategyContractTest, RoomCanGrow) {
  StrategyBench bench(GetParam());
  bench.AddKeys({1});
  bench.Use();
  bench->Reserve(100);
  bench->AddKey(99, {.position = 99});
  bench->Insert(99);
  EXPECT_EQ(bench.Use({0}), 99u);
  EXPECT_EQ(bench.Use({99}), 0u);
  bench->Reserve(1);
  EXPECT_EQ(bench.Use({0}), 99u);
}

TEST_P(StrategyContractTest, EveryKeyIsUsedInTime) {
  StrategyBench bench(GetParam());
  bench.AddKeys({1, 0.1, 3, 1, 2});
  std::set<KeyIndex> used;
  for (int i = 0; i < 1000; ++i) {
    const KeyIndex key = bench.Lease();
    bench.End(key, key == 1 ? absl::Seconds(5) : absl::Milliseconds(200));
    bench.Advance(absl::Seconds(1));
    if (i >= 500) used.insert(key);
  }
  EXPECT_EQ(used.size(), GetParam() == "fill_first" ? 1u : 5u);
}

// Does random things for as long as it is asked to, and checks every pick.
class Walk {
 public:
  Walk(std::string_view name, uint64_t seed, KeyIndex keys) : bench_(name, seed), keys_(keys) { bench_->Reserve(keys); }

  void Step() {
    bench_.Advance(absl::Milliseconds(Below(200)));
    const KeyIndex key = Below(static_cast<KeyIndex>(keys_.size()));
    switch (Below(8)) {
      case 0:
        return ChangeKnown(key);
      case 1:
        return ChangeEligible(key);
      case 2:
        return Grant(key);
      case 3:
      case 4:
        return End(key);
      default:
        return CheckPick();
    }
  }

 private:
  struct Key {
    bool known = false;
    bool eligible = false;
    int in_flight = 0;
  };

  KeyIndex Below(KeyIndex bound) { return static_cast<KeyIndex>(bench_.Random()() % bound); }
  KeyTraits AnyTraits() { return {.weight = (1 + Below(100)) / 10.0, .position = Below(10)}; }

  void ChangeKnown(KeyIndex key) {
    Key& k = keys_[key];
    if (!k.known) {
      bench_->AddKey(key, AnyTraits());
      k.known = true;
    } else if (Below(4) != 0) {
      bench_->UpdateKey(key, AnyTraits());
    } else if (!k.eligible && k.in_flight == 0) {
      bench_->RemoveKey(key);
      k.known = false;
    }
  }

  void ChangeEligible(KeyIndex key) {
    Key& k = keys_[key];
    if (!k.known) return;
    if (k.eligible) {
      bench_->Erase(key);
    } else {
      bench_->Insert(key);
    }
    k.eligible = !k.eligible;
  }

  void Grant(KeyIndex key) {
    if (!keys_[key].known) return;
    if (Below(3) == 0) {
      bench_->OnPreferred(key, bench_.Now());
    } else {
      bench_->OnLeased(key, bench_.Now());
    }
    ++keys_[key].in_flight;
  }

  void End(KeyIndex key) {
    if (keys_[key].in_flight == 0) return;
    bench_.End(key, absl::Milliseconds(static_cast<int64_t>(Below(3000)) - 500));
    --keys_[key].in_flight;
  }

  void CheckPick() {
    std::vector<KeyIndex> excluded(Below(6));
    for (KeyIndex& each : excluded) each = Below(static_cast<KeyIndex>(keys_.size()));
    const KeyIndex picked = bench_.Pick(excluded);
    bool any = false;
    for (KeyIndex key = 0; key < keys_.size(); ++key) any |= keys_[key].eligible && !Excluded(excluded).Has(key);
    ASSERT_EQ(picked != kNoKey, any);
    if (!any) return;
    ASSERT_LT(picked, keys_.size());
    ASSERT_TRUE(keys_[picked].eligible);
    ASSERT_FALSE(Excluded(excluded).Has(picked));
    Grant(picked);
  }

  StrategyBench bench_;
  std::vector<Key> keys_;
};

TEST_P(StrategyContractTest, PicksAnEligibleKeyThatIsNotExcludedWheneverThereIsOne) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Walk walk(GetParam(), seed, seed % 2 == 0 ? 5 : 40);
    for (int step = 0; step < 5000; ++step) {
      walk.Step();
      if (HasFatalFailure()) FAIL() << GetParam() << ", seed " << seed << ", step " << step;
    }
  }
}

// Whatever a session took while nobody else asked, its key has its share of what comes later.
TEST_P(StrategyContractTest, GrantsForASessionLeaveNoDebt) {
  if (GetParam() == "fill_first" || GetParam() == "lowest_latency") return;  // they give no shares
  StrategyBench bench(GetParam());
  bench.AddKeys({1, 1, 1});
  for (int i = 0; i < 1000; ++i) {
    bench->OnPreferred(1, bench.Now());
    bench.End(1);
  }
  const std::vector<int> counts = bench.Count(300, 3);
  for (int count : counts) EXPECT_NEAR(count, 100, GetParam() == "random" ? 40 : 1);
}

TEST_P(StrategyContractTest, TheSameSeedGivesTheSamePicks) {
  StrategyBench a(GetParam(), 5), b(GetParam(), 5);
  a.AddKeys({1, 2, 3});
  b.AddKeys({1, 2, 3});
  for (int i = 0; i < 100; ++i) ASSERT_EQ(a.Use(), b.Use());
}

}  // namespace
}  // namespace ccr::core
