#include "tests/bench/rotation/foretell.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_format.h"
#include "broker/service/simulation/simulator.h"

namespace ccr::rotation {
namespace {

using simulation::Counts;

constexpr double kPoint = 0.01;  // less is no difference

double Part(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

double Served(const Counts& run) {
  return Part(run.served, run.requests);
}

double Wasted(const Counts& run) {
  return Part(run.wasted, run.attempts);
}

// The share of the attempts that the one has at other keys than the other.
double Moved(const Counts& a, const Counts& b) {
  double sum = 0;
  for (size_t i = 0; i < std::max(a.keys.size(), b.keys.size()); ++i) {
    const double in_a = i < a.keys.size() ? Part(a.keys[i].attempts, a.attempts) : 0;
    const double in_b = i < b.keys.size() ? Part(b.keys[i].attempts, b.attempts) : 0;
    sum += std::abs(in_a - in_b) / 2;
  }
  return sum;
}

simulation::PoolPast PastOf(const Scenario& scenario, PoolOptions options) {
  const simulation::RecordBudget budget(size_t{1} << 30);
  simulation::Recorder recorder(&budget);
  options.record = &recorder;
  RunPool(scenario, options);
  simulation::PoolPast past;
  past.record = recorder.Copy(scenario.end());
  past.spec = SpecOf(scenario, options);
  past.keys = past.spec.keys;
  for (size_t i = 0; i < past.keys.size(); ++i) past.past.push_back(static_cast<core::KeyIndex>(i));
  return past;
}

}  // namespace

Foretold Foretell(const Scenario& scenario, const PoolOptions& options, const std::string& other) {
  const auto never = [] { return false; };
  auto told = simulation::Simulate(PastOf(scenario, options), other, nullptr, never);
  PoolOptions changed = options;
  changed.strategy = other;
  auto real = simulation::Simulate(PastOf(scenario, changed), "", nullptr, never);
  return {scenario.fleet.name, std::move(told->recorded.run), std::move(told->configured.run),
          std::move(told->proposed->run), std::move(real->recorded.run)};
}

std::string ForetoldHead() {
  return "                     served %                        wasted %                        moved %\n"
         "fleet                record replay | told   real     record replay | told   real     told/real\n";
}

std::string ForetoldRow(const Foretold& row) {
  return absl::StrFormat("%-20s %6.1f %6.1f | %6.1f %6.1f   %6.1f %6.1f | %6.1f %6.1f   %6.1f\n", row.fleet,
                         Served(row.recorded) * 100, Served(row.replayed) * 100, Served(row.foretold) * 100,
                         Served(row.real) * 100, Wasted(row.recorded) * 100, Wasted(row.replayed) * 100,
                         Wasted(row.foretold) * 100, Wasted(row.real) * 100, Moved(row.foretold, row.real) * 100);
}

void ForetoldError::Add(const Foretold& row) {
  ++rows_;
  served_ += std::abs(Served(row.foretold) - Served(row.real));
  wasted_ += std::abs(Wasted(row.foretold) - Wasted(row.real));
  shares_ += Moved(row.foretold, row.real);
  served_same_ += std::abs(Served(row.replayed) - Served(row.recorded));
  wasted_same_ += std::abs(Wasted(row.replayed) - Wasted(row.recorded));
  served_change_ += std::abs(Served(row.real) - Served(row.recorded));
  wasted_change_ += std::abs(Wasted(row.real) - Wasted(row.recorded));
  const double change = Wasted(row.real) - Wasted(row.recorded);
  if (std::abs(change) < kPoint) return;
  ++told_;
  right_ += change * (Wasted(row.foretold) - Wasted(row.replayed)) > 0 ? 1 : 0;
}

std::string ForetoldError::ToString() const {
  const double each = rows_ == 0 ? 0 : 100.0 / static_cast<double>(rows_);
  return absl::StrFormat(
      "%d fleets, mean distance in points: replay from record: served %.1f, wasted %.1f; told from real: served %.1f, "
      "wasted %.1f, shares %.1f\n(real from record: served %.1f, wasted %.1f); more or less waste told rightly of %d "
      "of "
      "%d fleets that differ by a point\n",
      rows_, served_same_ * each, wasted_same_ * each, served_ * each, wasted_ * each, shares_ * each,
      served_change_ * each, wasted_change_ * each, right_, told_);
}

}  // namespace ccr::rotation
