// What one lease costs a strategy: pick, grant and end, in pools of growing size, with nothing, little and much
// excluded.
#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/strategies/strategy.h"

namespace ccr::core {
namespace {

std::unique_ptr<Strategy> MakeFull(std::string_view name, KeyIndex keys) {
  std::unique_ptr<Strategy> strategy = std::move(MakeStrategy(name)).value();
  strategy->Reserve(keys);
  for (KeyIndex key = 0; key < keys; ++key) {
    strategy->AddKey(key, {.weight = 1.0 + key % 7, .position = key});
    strategy->Insert(key);
  }
  return strategy;
}

void BenchLease(benchmark::State& state, std::string_view name) {
  const auto keys = static_cast<KeyIndex>(state.range(0));
  const std::unique_ptr<Strategy> strategy = MakeFull(name, keys);
  std::mt19937_64 random(1);
  absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  std::vector<KeyIndex> excluded;
  while (excluded.size() < static_cast<size_t>(state.range(1))) {
    excluded.push_back(strategy->Pick(excluded, now, random));
  }
  for (auto _ : state) {
    now += absl::Microseconds(10);
    const KeyIndex key = strategy->Pick(excluded, now, random);
    strategy->OnLeased(key, now);
    strategy->OnEnded(key, absl::Milliseconds(100 + key % 50), now);
  }
}

}  // namespace
}  // namespace ccr::core

int main(int argc, char** argv) {
  for (const std::string_view name : ccr::core::StrategyNames()) {
    benchmark::RegisterBenchmark(std::string(name).c_str(), ccr::core::BenchLease, name)
        ->ArgNames({"keys", "excluded"})
        ->ArgsProduct({{10, 1000, 100'000}, {0}})
        ->Args({100'000, 3})
        ->Args({100'000, 64});
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
