#include "tests/bench/rotation/options.h"

#include <cstdlib>
#include <iostream>
#include <string_view>

#include "absl/strings/numbers.h"
#include "tests/bench/rotation/fleets.h"

namespace ccr::rotation {
namespace {

constexpr std::string_view kUsage = R"(rotation_bench: the rotation policy on fleets of keys, in virtual time
  --fleet NAME      only this one (default: all that have names)
  --random N        N drawn fleets instead, from --seed on; prints the worst ones
  --worst K         so many of them (10)
  --seed S          of the traffic, and the first drawn fleet (1)
  --strategy NAME   round_robin
  --max-wait S      seconds that a request may wait for a key (30)
  --load L          of what the keys allow, instead of the fleet's own
  --minutes M       of traffic, instead of the fleet's own
  --seer            also what one serves who knows all limits: how tight the bound is
  --json            a JSON object a line instead of the table
  --describe        what the fleets are, instead of running them
  --plot FILE.svg   of the last run of ours
  --foretell NAME   what `ccr simulate --strategy NAME` says after a run under --strategy, beside what really comes of it
)";

// Whether `flag` is one that takes a value, and `value` good for it.
bool Take(const std::string& flag, const std::string& value, Options* options, double* max_wait) {
  if (flag == "--fleet") options->fleet = value;
  if (flag == "--plot") options->plot = value;
  if (flag == "--strategy") options->pool.strategy = value;
  if (flag == "--foretell") options->foretell = value;
  if (flag == "--fleet" || flag == "--plot" || flag == "--strategy" || flag == "--foretell") return true;
  if (flag == "--random") return absl::SimpleAtoi(value, &options->random);
  if (flag == "--worst") return absl::SimpleAtoi(value, &options->worst);
  if (flag == "--seed") return absl::SimpleAtoi(value, &options->seed);
  if (flag == "--load") return absl::SimpleAtod(value, &options->load);
  if (flag == "--minutes") return absl::SimpleAtod(value, &options->minutes);
  if (flag == "--max-wait") return absl::SimpleAtod(value, max_wait);
  return false;
}

}  // namespace

void Usage(const std::string& problem) {
  std::cerr << "rotation_bench: " << problem << "\n" << kUsage;
  std::exit(2);
}

Options ReadOptions(int argc, char** argv) {
  Options options;
  double max_wait = 30;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--help") {
      std::cout << kUsage;
      std::exit(0);
    } else if (flag == "--json") {
      options.json = true;
    } else if (flag == "--describe") {
      options.describe = true;
    } else if (flag == "--seer") {
      options.seer = true;
    } else if (i + 1 == argc || !Take(flag, argv[i + 1], &options, &max_wait)) {
      Usage(flag + " is unknown, or takes another value");
    } else {
      ++i;
    }
  }
  options.pool.max_wait = absl::Seconds(max_wait);
  return options;
}

std::vector<Fleet> FleetsOf(const Options& options) {
  std::vector<Fleet> fleets;
  for (uint64_t i = 0; i < options.random; ++i) fleets.push_back(RandomFleet(options.seed + i));
  if (options.random == 0) {
    for (Fleet& fleet : NamedFleets()) {
      if (options.fleet.empty() || fleet.name == options.fleet) fleets.push_back(fleet);
    }
  }
  if (fleets.empty()) Usage("there is no fleet " + options.fleet);
  for (Fleet& fleet : fleets) {
    if (options.load > 0) fleet.traffic.load = options.load;
    if (options.minutes > 0) fleet.traffic.length = absl::Minutes(options.minutes);
  }
  return fleets;
}

}  // namespace ccr::rotation
