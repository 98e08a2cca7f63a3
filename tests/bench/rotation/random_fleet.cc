#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/bench/rotation/fleets.h"
#include "tests/bench/rotation/random.h"

namespace ccr::rotation {
namespace {

LimitSpec RandomLimit(Random* random, const TrafficSpec& traffic) {
  const double minute = std::round(std::exp(random->Between(std::log(6), std::log(240))));
  const double burst = std::max(1.0, std::round(minute * random->Between(0.03, 0.5)));
  switch (random->Below(6)) {
    case 0:
    case 1:
      return Bucket(minute / 60, burst);
    case 2:
      return HoldingBucket(minute / 60, burst);
    case 3:
      return FixedMinute(minute, absl::Seconds(1 + random->Below(60)));
    case 4:
      return SlidingMinute(minute);
    default:
      return random->Chance(0.5) ? TokensPerMinute(minute * traffic.mean_tokens)
                                 : Concurrency(static_cast<double>(1 + random->Below(6)));
  }
}

std::vector<Spell> RandomSpells(Random* random, const TrafficSpec& traffic) {
  if (!random->Chance(0.2)) return {};
  static constexpr Fault kFaults[] = {Fault::kAuth, Fault::kQuota, Fault::kServer};
  const absl::Duration from = random->Chance(0.3) ? absl::ZeroDuration() : traffic.length * random->Between(0.1, 0.8);
  const Fault fault = kFaults[random->Below(std::size(kFaults))];
  const bool ends = random->Chance(0.4) && fault != Fault::kQuota;  // a quota is not back within minutes
  return {{from, ends ? from + traffic.length * random->Between(0.02, 0.3) : absl::Hours(24), fault}};
}

KeyModel RandomKey(Random* random, const TrafficSpec& traffic) {
  static constexpr Headers kHeaders[] = {Headers::kNone, Headers::kOpenAi, Headers::kAnthropic, Headers::kEpoch};
  static constexpr RetryAfter kRetry[] = {RetryAfter::kAbsent, RetryAfter::kRoundedUp, RetryAfter::kExact};
  KeyModel key;
  if (traffic.models.size() > 1 && random->Chance(0.5)) {
    for (const std::string& model : traffic.models) key.limits.push_back(ForModel(RandomLimit(random, traffic), model));
  } else {
    key.limits.push_back(RandomLimit(random, traffic));
    if (random->Chance(0.2)) key.limits.push_back(TokensPerMinute(random->Between(20, 200) * traffic.mean_tokens));
  }
  key.headers = kHeaders[random->Below(std::size(kHeaders))];
  key.retry_after = kRetry[random->Below(std::size(kRetry))];
  key.spells = RandomSpells(random, traffic);
  if (random->Chance(0.1)) key.slowness = random->Between(2, 8);
  if (random->Chance(0.1)) key.flaky = random->Between(0.05, 0.4);
  if (random->Chance(0.05)) key.cut = random->Between(0.05, 0.3);
  if (random->Chance(0.1)) key.other_user = random->Between(0.02, 0.2);
  return key;
}

}  // namespace

Fleet RandomFleet(uint64_t seed) {
  Random random(seed * 7'919 + 17);
  Fleet fleet{.name = absl::StrCat("random-", seed), .about = "drawn"};
  TrafficSpec& traffic = fleet.traffic;
  static constexpr double kLoads[] = {0.5, 0.9, 1.0, 1.3};
  traffic.load = kLoads[random.Below(std::size(kLoads))];
  traffic.burst = random.Chance(0.3) ? random.Between(2, 8) : 1;
  traffic.sessions = random.Chance(0.4) ? random.Between(0.2, 0.9) : 0;
  traffic.seconds = absl::Seconds(random.Between(0.3, 8));
  if (random.Chance(0.25)) traffic.models = {"model-a", "model-b"};
  // A few kinds of keys, each some times: people buy alike.
  const uint64_t kinds = 1 + random.Below(4);
  for (uint64_t kind = 0; kind < kinds; ++kind) {
    const KeyModel model = RandomKey(&random, traffic);
    const uint64_t count = 1 + random.Below(4);
    for (uint64_t i = 0; i < count; ++i) {
      KeyModel& key = fleet.keys.emplace_back(model);
      key.name = absl::StrCat("k", kind, "-", i);
      if (count > 1 && model.spells.empty()) key.group = absl::StrCat("k", kind);
      if (i > 0 && random.Chance(0.7)) key.spells.clear();
    }
  }
  for (KeyModel& key : fleet.keys) {
    if (!key.spells.empty()) key.group.clear();
  }
  if (random.Chance(0.2)) {
    const absl::Duration from = traffic.length * random.Between(0.2, 0.8);
    const Fault fault = random.Chance(0.5) ? Fault::kServer : random.Chance(0.5) ? Fault::kOverloaded : Fault::kConnect;
    fleet.outages = {{from, from + absl::Seconds(random.Between(2, 20)), fault}};
  }
  if (Capacity(fleet) < 0.2) {  // nearly all are dead: one that lives
    fleet.keys.front().spells.clear();
    fleet.keys.front().limits = {Bucket(1, 5)};
    fleet.keys.front().other_user = 0;
  }
  return fleet;
}

}  // namespace ccr::rotation
