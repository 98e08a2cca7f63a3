// Runs fleets under the policies and prints the table. README.md tells how to read it.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <optional>
#include <vector>

#include "tests/bench/rotation/fleets.h"
#include "tests/bench/rotation/foretell.h"
#include "tests/bench/rotation/options.h"
#include "tests/bench/rotation/oracle.h"
#include "tests/bench/rotation/plot.h"
#include "tests/bench/rotation/policies.h"
#include "tests/bench/rotation/summary.h"

namespace ccr::rotation {
namespace {

struct Rows {
  Summary ours, naive;
  std::optional<Summary> seer;
};

Rows Compare(const Fleet& fleet, uint64_t seed, const Options& options) {
  const Scenario scenario = MakeScenario(fleet, seed);
  const size_t bound = Bound(scenario, options.pool.max_wait);
  const Run run = RunPool(scenario, options.pool);
  Rows rows{Summarize(scenario, run, bound), Summarize(scenario, RunNginx(scenario), bound), std::nullopt};
  if (options.seer) rows.seer = Summarize(scenario, RunSeer(scenario, options.pool.max_wait), bound);
  if (!options.plot.empty()) std::ofstream(options.plot) << Plot(scenario, run, rows.ours);
  return rows;
}

void Print(const Rows& rows, bool json) {
  for (const Summary* summary : {&rows.ours, &rows.naive, rows.seer ? &*rows.seer : nullptr}) {
    if (summary != nullptr) std::cout << (json ? ToJson(*summary) + "\n" : TableRow(*summary));
  }
  std::cout << std::flush;
}

void PrintMean(const std::vector<Rows>& all) {
  double ours = 0, naive = 0, wasted = 0;
  size_t good = 0;
  for (const Rows& rows : all) {
    ours += rows.ours.goodput / static_cast<double>(all.size());
    naive += rows.naive.goodput / static_cast<double>(all.size());
    wasted += rows.ours.wasted / static_cast<double>(all.size());
    good += rows.ours.goodput >= 0.98 ? 1 : 0;
  }
  std::printf("%zu fleets: mean goodput ours %.3f, nginx %.3f; %zu at .98 or more; mean waste of ours %.2f %%\n",
              all.size(), ours, naive, good, wasted * 100);
}

int Foretell(const Options& options) {
  ForetoldError mean;
  std::cout << ForetoldHead();
  const std::vector<Fleet> fleets = FleetsOf(options);
  for (size_t i = 0; i < fleets.size(); ++i) {
    const Foretold row =
        Foretell(MakeScenario(fleets[i], options.seed + (options.random > 0 ? i : 0)), options.pool, options.foretell);
    std::cout << ForetoldRow(row) << std::flush;
    mean.Add(row);
  }
  std::cout << mean.ToString();
  return 0;
}

int Main(int argc, char** argv) {
  const Options options = ReadOptions(argc, argv);
  const bool drawn = options.random > 0;
  if (options.describe) {
    for (const Fleet& fleet : FleetsOf(options)) std::cout << Describe(fleet);
    return 0;
  }
  if (!options.foretell.empty()) return Foretell(options);
  std::vector<Rows> all;
  if (!options.json) std::cout << TableHead();
  for (const Fleet& fleet : FleetsOf(options)) {
    all.push_back(Compare(fleet, options.seed + (drawn ? all.size() : 0), options));
    if (!drawn) Print(all.back(), options.json);
  }
  if (drawn) {
    std::stable_sort(all.begin(), all.end(),
                     [](const Rows& a, const Rows& b) { return a.ours.goodput < b.ours.goodput; });
    for (size_t i = 0; i < std::min<size_t>(all.size(), options.worst); ++i) Print(all[i], options.json);
  }
  if (!options.json) PrintMean(all);
  return 0;
}

}  // namespace
}  // namespace ccr::rotation

int main(int argc, char** argv) {
  return ccr::rotation::Main(argc, argv);
}
