// The bench in a short form: its oracle is right, its runs are replayable, and the policy is not worse than it was.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/bench/rotation/fleets.h"
#include "tests/bench/rotation/foretell.h"
#include "tests/bench/rotation/oracle.h"
#include "tests/bench/rotation/plot.h"
#include "tests/bench/rotation/policies.h"
#include "tests/bench/rotation/provider.h"
#include "tests/bench/rotation/random.h"
#include "tests/bench/rotation/summary.h"

namespace ccr::rotation {
namespace {

constexpr absl::Duration kWait = absl::Seconds(30);

Fleet Named(const std::string& name) {
  for (Fleet& fleet : NamedFleets()) {
    if (fleet.name == name) return fleet;
  }
  ADD_FAILURE() << "there is no fleet " << name;
  return {};
}

Fleet Short(Fleet fleet) {
  fleet.traffic.length = absl::Minutes(2);
  return fleet;
}

Summary Ours(const Fleet& fleet, absl::Duration max_wait) {
  const Scenario scenario = MakeScenario(fleet, 1);
  return Summarize(scenario, RunPool(scenario, {.max_wait = max_wait}), Bound(scenario, max_wait));
}

// The greatest matching by augmenting paths, slow and certain.
size_t SlowMatch(const std::vector<Interval>& left, const std::vector<Interval>& right) {
  std::vector<int> partner(right.size(), -1);
  size_t matched = 0;
  for (size_t i = 0; i < left.size(); ++i) {
    std::vector<bool> seen(right.size());
    const std::function<bool(size_t)> augment = [&](size_t from) {
      for (size_t to = 0; to < right.size(); ++to) {
        if (seen[to] || left[from].until < right[to].from || right[to].until < left[from].from) continue;
        seen[to] = true;
        if (partner[to] >= 0 && !augment(static_cast<size_t>(partner[to]))) continue;
        partner[to] = static_cast<int>(from);
        return true;
      }
      return false;
    };
    matched += augment(i) ? 1 : 0;
  }
  return matched;
}

TEST(RotationOracle, MatchesAsManyAsCanBe) {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    Random random(seed);
    const auto draw = [&] {
      std::vector<Interval> family(random.Below(30));
      for (Interval& interval : family) {
        interval.from = static_cast<double>(random.Below(40));
        interval.until = interval.from + static_cast<double>(random.Below(8));
      }
      return family;
    };
    const std::vector<Interval> left = draw(), right = draw();
    ASSERT_EQ(Match(left, right), SlowMatch(left, right)) << "seed " << seed;
  }
}

// Nobody serves more than the bound, and who knows all limits serves nearly as many.
TEST(RotationOracle, IsTight) {
  for (const Fleet& named : NamedFleets()) {
    const Scenario scenario = MakeScenario(Short(named), 1);
    const Summary seer = Summarize(scenario, RunSeer(scenario, kWait), MostServed(scenario, kWait));
    EXPECT_LE(seer.goodput, named.name == "tokens" ? 1.05 : 1.005) << named.name;  // small requests fit better
    EXPECT_GE(seer.goodput, 0.98) << named.name;
  }
}

TEST(RotationProvider, KeepsEachKindOfLimit) {
  const absl::Time start = absl::FromUnixSeconds(1'000);
  const auto taken_in = [&](const LimitSpec& spec, absl::Duration length) {
    const std::unique_ptr<Limit> limit = MakeLimit(spec, start);
    size_t taken = 0;
    for (absl::Time at = start; at < start + length; at += absl::Milliseconds(100)) {
      if (limit->RoomAt(1, at) > at) continue;
      limit->Take(1, at);
      ++taken;
    }
    return taken;
  };
  EXPECT_EQ(taken_in(Bucket(1, 5), absl::Seconds(10)), 14);
  EXPECT_EQ(taken_in(FixedMinute(7, absl::Seconds(10)), absl::Seconds(11)), 14);
  EXPECT_EQ(taken_in(SlidingMinute(7), absl::Seconds(60)), 7);
  EXPECT_EQ(taken_in(SlidingMinute(7), absl::Seconds(61)), 14);
  EXPECT_EQ(taken_in(Concurrency(3), absl::Seconds(60)), 3);
}

TEST(RotationBench, TheSameSeedIsTheSameRun) {
  const Scenario scenario = MakeScenario(Short(Named("models")), 7);
  const size_t bound = Bound(scenario, kWait);
  const auto run = [&] { return ToJson(Summarize(scenario, RunPool(scenario, {}), bound)); };
  EXPECT_EQ(run(), run());
}

TEST(RotationBench, EveryRequestHasAnEnd) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Fleet fleet = RandomFleet(seed);
    fleet.traffic.length = absl::Minutes(1);
    const Scenario scenario = MakeScenario(fleet, seed);
    const Summary summary = Summarize(scenario, RunPool(scenario, {}), Bound(scenario, kWait));
    EXPECT_EQ(summary.served + summary.cut + summary.relayed + summary.refusals + summary.gave_up, summary.requests);
    EXPECT_LE(summary.goodput, 1.05) << "seed " << seed;
  }
}

TEST(RotationBench, ThePolicyIsNotWorseThanItWas) {
  struct Case {
    const char* fleet;
    double goodput, wasted;
  };
  for (const auto& [fleet, goodput, wasted] : {Case{"dozen", 0.93, 0.15},
                                               {"openai", 0.97, 0.02},
                                               {"mute", 0.95, 0.15},
                                               {"holds", 0.9, 0.15},
                                               {"models", 0.9, 0.02},
                                               {"sick", 0.95, 0.05}}) {
    const Summary summary = Ours(Short(Named(fleet)), kWait);
    EXPECT_GE(summary.goodput, goodput) << fleet;
    EXPECT_LE(summary.wasted, wasted) << fleet;
    EXPECT_EQ(summary.known_dead, 0) << fleet;
    EXPECT_EQ(summary.in_rest, 0) << fleet;
  }
  const Summary sessions = Ours(Short(Named("sessions")), kWait);
  EXPECT_GE(sessions.cache, 0.95);
  EXPECT_LE(sessions.fairness, 2);
}

TEST(RotationBench, PlotsALaneForEachKey) {
  const Scenario scenario = MakeScenario(Short(Named("sick")), 1);
  const auto run = RunPool(scenario, {});
  const std::string plot = Plot(scenario, run, Summarize(scenario, run, Bound(scenario, kWait)));
  for (const KeyModel& key : scenario.fleet.keys) EXPECT_NE(plot.find(">" + key.name + "<"), plot.npos) << key.name;
  EXPECT_TRUE(plot.ends_with("</svg>\n"));
}

// What `ccr simulate` says of another strategy is what comes of it, where the record tells the limits.
TEST(RotationForetell, IsWhatComesOfIt) {
  for (const char* name : {"windows", "parallel", "models"}) {
    SCOPED_TRACE(name);
    const Foretold row = Foretell(MakeScenario(Named(name), 1), {.max_wait = kWait}, "fill_first");
    const auto part = [](uint64_t of, uint64_t all) { return static_cast<double>(of) / static_cast<double>(all); };
    EXPECT_EQ(row.replayed.requests, row.recorded.requests);
    EXPECT_NEAR(part(row.replayed.served, row.replayed.requests), part(row.recorded.served, row.recorded.requests),
                0.01);
    EXPECT_NEAR(part(row.foretold.served, row.foretold.requests), part(row.real.served, row.real.requests), 0.01);
    EXPECT_NEAR(part(row.foretold.wasted, row.foretold.attempts), part(row.real.wasted, row.real.attempts), 0.01);
  }
}

}  // namespace
}  // namespace ccr::rotation
