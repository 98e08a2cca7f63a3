#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/bench/rotation/random.h"
#include "tests/bench/rotation/scenario.h"

namespace ccr::rotation {
namespace {

constexpr double kTurns = 8;  // of a session
constexpr absl::Duration kThinking = absl::Seconds(6);

double KeyCapacity(const KeyModel& key, const TrafficSpec& traffic) {
  double all = std::numeric_limits<double>::infinity(), of_models = 0;
  size_t limited = 0;
  const double seconds = absl::ToDoubleSeconds(traffic.seconds) * key.slowness;
  for (const LimitSpec& limit : key.limits) {
    const double rate = SustainedRate(limit, traffic.mean_tokens, seconds);
    if (limit.model.empty()) {
      all = std::min(all, rate);
    } else {
      of_models += rate;
      ++limited;
    }
  }
  if (limited > 0 && limited >= traffic.models.size()) all = std::min(all, of_models);
  return std::max(0.0, all - key.other_user) * GoodShare(key, traffic);
}

Request MakeRequest(const TrafficSpec& traffic, absl::Time arrival, Random* random) {
  Request request;
  request.arrival = arrival;
  request.model = random->Below(traffic.models.size());
  const double tokens = traffic.mean_tokens * random->Lognormal(0.6);
  request.output_tokens = static_cast<uint64_t>(tokens / 5) + 1;
  request.input_tokens = static_cast<uint64_t>(tokens * 4 / 5) + 1;
  request.estimated_tokens = static_cast<uint64_t>(tokens * random->Between(0.85, 1.15)) + 2;
  request.total = traffic.seconds * (traffic.steady ? 1.0 : std::clamp(random->Lognormal(0.5), 0.05, 6.0));
  request.stream = random->Chance(traffic.stream_share);
  request.first_byte = request.stream ? request.total / 5 : request.total;
  return request;
}

}  // namespace

double GoodShare(const KeyModel& key, const TrafficSpec& traffic) {
  return (1 - key.flaky) * (1 - key.cut * traffic.stream_share);
}

double Capacity(const Fleet& fleet) {
  double sum = 0;
  for (const KeyModel& key : fleet.keys) {
    absl::Duration well = fleet.traffic.length;
    for (const Spell& spell : key.spells) {
      well -= std::max(absl::ZeroDuration(), std::min(spell.until, fleet.traffic.length) - spell.from);
    }
    const double share = std::max(0.0, absl::FDivDuration(well, fleet.traffic.length));
    if (share > 0) sum += KeyCapacity(key, fleet.traffic) * share;
  }
  return sum;
}

bool Suffers(const std::vector<Spell>& spells, absl::Duration since_start, Fault* fault) {
  for (const Spell& spell : spells) {
    if (since_start < spell.from || since_start >= spell.until) continue;
    *fault = spell.fault;
    return true;
  }
  return false;
}

Scenario MakeScenario(const Fleet& fleet, uint64_t seed) {
  Scenario scenario{.fleet = fleet, .seed = seed, .start = absl::FromUnixSeconds(1'750'000'000)};
  const TrafficSpec& traffic = fleet.traffic;
  Random random(seed);
  const double rate = traffic.rate > 0 ? traffic.rate : traffic.load * Capacity(fleet);
  const double events = rate * (1 - traffic.sessions) / traffic.burst;
  uint64_t sessions = 0;

  for (double at = random.Exponential(1 / events); events > 0 && at < absl::ToDoubleSeconds(traffic.length);
       at += random.Exponential(1 / events)) {
    const uint64_t together = random.Geometric(traffic.burst);
    for (uint64_t i = 0; i < together; ++i) {
      scenario.requests.push_back(MakeRequest(traffic, scenario.start + absl::Seconds(at), &random));
    }
  }
  const double openings = rate * traffic.sessions / kTurns;
  for (double at = random.Exponential(1 / std::max(openings, 1e-9));
       openings > 0 && at < absl::ToDoubleSeconds(traffic.length); at += random.Exponential(1 / openings)) {
    ++sessions;
    absl::Time turn = scenario.start + absl::Seconds(at);
    const size_t model = random.Below(traffic.models.size());
    for (uint64_t left = random.Geometric(kTurns); left > 0 && turn < scenario.end(); --left) {
      Request& request = scenario.requests.emplace_back(MakeRequest(traffic, turn, &random));
      request.session = sessions;
      request.model = model;
      turn += request.total + absl::Seconds(random.Exponential(absl::ToDoubleSeconds(kThinking)));
    }
  }
  std::stable_sort(scenario.requests.begin(), scenario.requests.end(),
                   [](const Request& a, const Request& b) { return a.arrival < b.arrival; });

  for (const KeyModel& key : fleet.keys) {
    std::vector<absl::Time>& times = scenario.other_users.emplace_back();
    if (key.other_user <= 0) continue;
    for (double at = random.Exponential(1 / key.other_user); at < absl::ToDoubleSeconds(traffic.length);
         at += random.Exponential(1 / key.other_user)) {
      times.push_back(scenario.start + absl::Seconds(at));
    }
  }
  return scenario;
}

}  // namespace ccr::rotation
