// What one request costs a pool: lease and report, at growing numbers of keys.
#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "broker/core/pool.h"

namespace ccr::core {
namespace {

PoolSpec SpecOf(int64_t keys) {
  PoolSpec spec;
  spec.name = "bench";
  for (int64_t i = 0; i < keys; ++i) {
    KeySpec key;
    key.name = key.fingerprint = absl::StrCat("k", i);
    spec.keys.push_back(key);
  }
  return spec;
}

void BenchRequest(benchmark::State& state) {
  absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  std::mt19937_64 random(1);
  const auto pool = std::make_unique<Pool>(SpecOf(state.range(0)), now);
  Report report;
  report.evidence.http_status = 200;
  report.evidence.first_byte = absl::Milliseconds(200);
  std::vector<Transition> transitions;
  uint64_t ids = 0;
  for (auto _ : state) {
    now += absl::Microseconds(10);
    report.id = {1, 1, 7, ++ids};
    benchmark::DoNotOptimize(pool->Lease({report.id, kNoOwner, {}}, now, random));
    benchmark::DoNotOptimize(pool->Apply(report, now, random));
    pool->TakeTransitions(&transitions);
  }
}
BENCHMARK(BenchRequest)->ArgName("keys")->Arg(10)->Arg(1000)->Arg(100'000);

}  // namespace
}  // namespace ccr::core

BENCHMARK_MAIN();
