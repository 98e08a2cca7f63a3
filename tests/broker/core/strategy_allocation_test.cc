// No strategy allocates after Reserve, no lease nor report in a pool that has been as busy before, and what grows while a
// pool serves grows by pieces.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "broker/core/fingerprint_table.h"
#include "broker/core/pool.h"
#include "tests/broker/core/strategy_testing.h"

namespace {
std::atomic<int64_t> allocations = 0;
std::atomic<size_t> largest = 0;
}  // namespace

// The array and nothrow forms of the library call these.
void* operator new(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (size > largest.load(std::memory_order_relaxed)) largest = size;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace ccr::core {
namespace {

class StrategyAllocationTest : public ::testing::TestWithParam<std::string_view> {};

INSTANTIATE_TEST_SUITE_P(, StrategyAllocationTest, ::testing::ValuesIn(StrategyNames().begin(), StrategyNames().end()),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(StrategyAllocationTest, NoneInTenThousandRoundsAtAHundredThousandKeys) {
  constexpr KeyIndex kKeys = 100'000;
  StrategyBench bench(GetParam());
  bench->Reserve(kKeys);
  const std::vector<KeyIndex> excluded = {0, 1, 2, 77, 99'999};
  const int64_t before = allocations;
  for (KeyIndex key = 0; key < kKeys; ++key) {
    bench->AddKey(key, {.weight = 1.0 + key % 7, .position = key});
    bench->Insert(key);
  }
  for (int i = 0; i < 10'000; ++i) {
    bench.Advance(absl::Milliseconds(1));
    const KeyIndex key = bench.Lease(excluded);
    bench->Erase(key);
    bench->UpdateKey(key, {.weight = 2.0 + i % 5, .position = key});
    bench.End(key);
    bench->Insert(key);
    bench->OnPreferred(key, bench.Now());
    bench.End(key);
  }
  EXPECT_EQ(allocations - before, 0);
}

struct BusyPool {
  std::string name;
  int keys = 0;
  bool tells_limits = false;
};

class PoolAllocationTest : public ::testing::TestWithParam<BusyPool> {};

INSTANTIATE_TEST_SUITE_P(, PoolAllocationTest,
                         ::testing::Values(BusyPool{"DeclaredLimits", 100'000, false},
                                           BusyPool{"ToldLimits", 100, true}),
                         [](const auto& test) { return test.param.name; });

TEST_P(PoolAllocationTest, NoneForALeaseItsProgressAndItsReport) {
  PoolSpec spec;
  spec.name = "p";
  for (int i = 0; i < GetParam().keys; ++i) {
    KeySpec& key = spec.keys.emplace_back();
    key.name = key.fingerprint = absl::StrCat("k", i);
    if (!GetParam().tells_limits) key.limits = {1'000, 1'000'000, 100'000, 100'000'000};
  }
  absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  std::mt19937_64 random(1);
  Pool pool(spec, now);
  Report report;
  report.evidence.http_status = 200;
  report.evidence.input_tokens = 120;
  if (GetParam().tells_limits) {
    report.evidence.rate_limits.push_back({RateLimit::Unit::kRequests, 60'000, 59'000, absl::Seconds(1)});
  }
  const Beginning beginning{200, absl::Milliseconds(200), report.evidence.rate_limits};
  std::vector<Transition> transitions;
  uint64_t served = 0;
  const auto serve = [&](int rounds) {
    for (int i = 0; i < rounds; ++i) {
      now += absl::Milliseconds(1);
      report.id = {1, 1, 7, ++served};
      Pool::LeaseArgs args{report.id, kNoOwner, {}};
      args.session = served % 1'000 + 1;
      args.model = served % 2 == 0 ? "large" : "small";
      args.estimated_tokens = 100;
      ASSERT_TRUE(std::holds_alternative<Grant>(pool.Lease(args, now, random)));
      pool.Progress(report.id, beginning, now, random);
      pool.Apply(report, now, random);
      pool.TakeTransitions(&transitions);
    }
  };
  serve(40'000);
  const int64_t before = allocations;
  serve(10'000);
  EXPECT_EQ(allocations - before, 0);
}

TEST(FingerprintTableTest, GrowsByAPartAtATime) {
  constexpr KeyIndex kKeys = 100'000;
  FingerprintTable table;
  largest = 0;
  const auto fingerprint = [](KeyIndex key) { return "fingerprint-of-a-key-" + std::to_string(key); };
  for (KeyIndex key = 0; key < kKeys; ++key) table.Insert(fingerprint(key), key);
  EXPECT_LT(largest, kKeys * sizeof(std::string) / 16);
  for (KeyIndex key = 0; key < kKeys; key += 3) table.Erase(fingerprint(key));
  for (KeyIndex key = 0; key < kKeys; ++key) ASSERT_EQ(table.Find(fingerprint(key)), key % 3 == 0 ? kNoKey : key);
  EXPECT_EQ(table.Find(""), kNoKey);
}

TEST(AllocationCountTest, Counts) {
  const int64_t before = allocations;
  const auto memory = std::make_unique<std::vector<int>>(1000);
  EXPECT_EQ(allocations - before, 2);
}

}  // namespace
}  // namespace ccr::core
