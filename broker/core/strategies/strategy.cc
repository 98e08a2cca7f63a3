#include "broker/core/strategies/strategy.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "broker/core/strategies/fill_first.h"
#include "broker/core/strategies/least_in_flight.h"
#include "broker/core/strategies/least_used.h"
#include "broker/core/strategies/lowest_latency.h"
#include "broker/core/strategies/random.h"
#include "broker/core/strategies/round_robin.h"
#include "broker/core/strategies/weighted.h"

namespace ccr::core {
namespace {

template <typename T>
std::unique_ptr<Strategy> Make() {
  return std::make_unique<T>();
}

struct Entry {
  std::string_view name;
  std::unique_ptr<Strategy> (*make)();
};

constexpr std::array kStrategies = {
    Entry{"round_robin", Make<RoundRobin>},
    Entry{"random", Make<Random>},
    Entry{"weighted", Make<Weighted>},
    Entry{"least_used", Make<LeastUsed>},
    Entry{"least_in_flight", Make<LeastInFlight>},
    Entry{"lowest_latency", Make<LowestLatency>},
    Entry{"fill_first", Make<FillFirst>},
};

constexpr auto kNames = [] {
  std::array<std::string_view, kStrategies.size()> names;
  for (size_t i = 0; i < names.size(); ++i) names[i] = kStrategies[i].name;
  return names;
}();

}  // namespace

uint64_t Millionths(double weight) {
  constexpr double kMillion = 1e6;
  if (!(weight < kMillion)) return 1'000'000'000'000;
  return std::max<int64_t>(1, std::llround(weight * kMillion));
}

absl::StatusOr<std::unique_ptr<Strategy>> MakeStrategy(std::string_view name) {
  for (const Entry& entry : kStrategies) {
    if (entry.name == name) return entry.make();
  }
  std::string message = "unknown strategy \"" + std::string(name) + "\"; known are:";
  for (const std::string_view known : kNames) message.append(" ").append(known);
  return absl::InvalidArgumentError(message);
}

absl::Span<const std::string_view> StrategyNames() {
  return kNames;
}

}  // namespace ccr::core
