// Runs fleets under the policies and prints the table. README.md tells how to read it.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/time/time.h"
#include "tests/bench/rotation/fleets.h"
#include "tests/bench/rotation/oracle.h"
#include "tests/bench/rotation/plot.h"
#include "tests/bench/rotation/policies.h"
#include "tests/bench/rotation/summary.h"

namespace ccr::rotation {
namespace {

constexpr std::string_view kUsage = R"(rotation_bench: the rotation policy on fleets of keys, in virtual time
  --fleet NAME      only this one (default: all that have names)
  --random N        N drawn fleets instead, from --seed on; prints the worst ones
  --worst K         so many of them (10)
  --seed S          of the traffic, and the first drawn fleet (1)
  --strategy NAME   round_robin
  --max-wait S      seconds that a request may wait for a key (30)
  --load L          instead of the fleet's own
  --json            a JSON object a line instead of the table
  --plot FILE.svg   of the last run of ours
)";

struct Options {
  std::string fleet, plot;
  uint64_t random = 0, worst = 10, seed = 1;
  double load = 0;
  bool json = false;
  PoolOptions pool;
};

[[noreturn]] void Usage(const std::string& problem) {
  std::cerr << "rotation_bench: " << problem << "\n" << kUsage;
  std::exit(2);
}

Options Read(int argc, char** argv) {
  Options options;
  double seconds = 30;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--help") {
      std::cout << kUsage;
      std::exit(0);
    }
    if (flag == "--json") {
      options.json = true;
      continue;
    }
    if (i + 1 == argc) Usage(flag + " is unknown or wants a value");
    const std::string value = argv[++i];
    bool good = true;
    if (flag == "--fleet") {
      options.fleet = value;
    } else if (flag == "--plot") {
      options.plot = value;
    } else if (flag == "--strategy") {
      options.pool.strategy = value;
    } else if (flag == "--random") {
      good = absl::SimpleAtoi(value, &options.random);
    } else if (flag == "--worst") {
      good = absl::SimpleAtoi(value, &options.worst);
    } else if (flag == "--seed") {
      good = absl::SimpleAtoi(value, &options.seed);
    } else if (flag == "--load") {
      good = absl::SimpleAtod(value, &options.load);
    } else if (flag == "--max-wait") {
      good = absl::SimpleAtod(value, &seconds);
    } else {
      Usage(flag + " is unknown");
    }
    if (!good) Usage(flag + " does not take " + value);
  }
  options.pool.max_wait = absl::Seconds(seconds);
  return options;
}

struct Pair {
  Summary ours, naive;
};

Pair Compare(Fleet fleet, uint64_t seed, const Options& options) {
  if (options.load > 0) fleet.traffic.load = options.load;
  const Scenario scenario = MakeScenario(fleet, seed);
  const size_t bound = MostServed(scenario, options.pool.max_wait);
  const Run run = RunPool(scenario, options.pool);
  const Pair pair = {Summarize(scenario, run, bound), Summarize(scenario, RunNginx(scenario), bound)};
  if (!options.plot.empty()) std::ofstream(options.plot) << Plot(scenario, run, pair.ours);
  return pair;
}

void Print(const Pair& pair, bool json) {
  for (const Summary* summary : {&pair.ours, &pair.naive}) {
    std::cout << (json ? ToJson(*summary) + "\n" : TableRow(*summary));
  }
  std::cout << std::flush;
}

void PrintMean(const std::vector<Pair>& pairs) {
  double ours = 0, naive = 0;
  size_t good = 0;
  for (const Pair& pair : pairs) {
    ours += pair.ours.goodput / static_cast<double>(pairs.size());
    naive += pair.naive.goodput / static_cast<double>(pairs.size());
    good += pair.ours.goodput >= 0.98 ? 1 : 0;
  }
  std::printf("%zu fleets: mean goodput ours %.3f, nginx %.3f; %zu at .98 or more\n", pairs.size(), ours, naive, good);
}

int Main(int argc, char** argv) {
  const Options options = Read(argc, argv);
  std::vector<Pair> pairs;
  if (!options.json) std::cout << TableHead();
  if (options.random > 0) {
    for (uint64_t i = 0; i < options.random; ++i) {
      pairs.push_back(Compare(RandomFleet(options.seed + i), options.seed + i, options));
    }
    std::stable_sort(pairs.begin(), pairs.end(),
                     [](const Pair& a, const Pair& b) { return a.ours.goodput < b.ours.goodput; });
    for (size_t i = 0; i < std::min<size_t>(pairs.size(), options.worst); ++i) Print(pairs[i], options.json);
  } else {
    for (const Fleet& fleet : NamedFleets()) {
      if (!options.fleet.empty() && fleet.name != options.fleet) continue;
      pairs.push_back(Compare(fleet, options.seed, options));
      Print(pairs.back(), options.json);
    }
    if (pairs.empty()) Usage("there is no fleet " + options.fleet);
  }
  if (!options.json) PrintMean(pairs);
  return 0;
}

}  // namespace
}  // namespace ccr::rotation

int main(int argc, char** argv) {
  return ccr::rotation::Main(argc, argv);
}
