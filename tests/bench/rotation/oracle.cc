#include "tests/bench/rotation/oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/rotation/policies.h"

namespace ccr::rotation {
namespace {

double SinceStart(const Scenario& scenario, absl::Time at) {
  return absl::ToDoubleSeconds(at - scenario.start);
}

// What is left of `interval` when `spells` are cut out of its ends; empty when nothing is.
Interval Clip(Interval interval, const std::vector<Spell>& spells) {
  for (bool again = true; again;) {
    again = false;
    for (const Spell& spell : spells) {
      const double from = absl::ToDoubleSeconds(spell.from), until = absl::ToDoubleSeconds(spell.until);
      if (interval.from >= from && interval.from < until) {
        interval.from = until;
        again = true;
      }
      if (interval.until >= from && interval.until < until) {
        interval.until = from - 1e-9;
        again = true;
      }
      if (interval.from > interval.until) return interval;
    }
  }
  return interval;
}

bool IsEmpty(const Interval& interval) {
  return interval.from > interval.until;
}

// `amount` at once and `rate` a second.
std::vector<Interval> OfBucket(double rate, double amount, double horizon) {
  std::vector<Interval> permits;
  for (double number = -std::floor(amount); number / rate <= horizon; ++number) {
    const double from = number < 0 ? 0 : (number + 1) / rate;
    const double until = number < 0 ? (std::floor(amount) + number + 1) / rate : from + amount / rate;
    permits.push_back({from, until});
  }
  return permits;
}

std::vector<Interval> OfWindows(double amount, double window, double first_end, double horizon) {
  std::vector<Interval> permits;
  for (double end = first_end, from = 0; from <= horizon; from = end, end += window) {
    for (double i = 0; i + 1 <= amount; ++i) permits.push_back({from, end - 1e-9});
  }
  return permits;
}

// Takes the share of other users, who come first, and of calls that fail, out of a key's permits.
std::vector<Interval> Reduce(std::vector<Interval> permits, const KeyModel& key, const std::vector<double>& others,
                             const std::vector<Spell>& outages) {
  std::sort(permits.begin(), permits.end(), [](const auto& a, const auto& b) { return a.until < b.until; });
  std::vector<bool> gone(permits.size());
  size_t first = 0;
  for (double at : others) {
    while (first < permits.size() && (gone[first] || permits[first].until < at)) ++first;
    for (size_t i = first; i < permits.size(); ++i) {
      if (gone[i] || permits[i].from > at) continue;
      gone[i] = true;
      break;
    }
  }
  std::vector<Interval> left;
  double owed = 0;
  const double good = (1 - key.flaky) * (1 - key.cut);
  for (size_t i = 0; i < permits.size(); ++i) {
    if (gone[i]) continue;
    const Interval permit = Clip(Clip(permits[i], key.spells), outages);
    if (IsEmpty(permit)) continue;
    owed += good;
    if (owed < 1 - 1e-9) continue;
    owed -= 1;
    left.push_back(permit);
  }
  return left;
}

struct Family {
  std::vector<Interval> permits;
  bool unlimited = false;
};

// What one key permits for `model` alone (empty: by the limits that hold for all models together).
Family OfKey(const Scenario& scenario, size_t index, const std::string& model, bool sliding_as_bucket, double horizon) {
  const KeyModel& key = scenario.fleet.keys[index];
  const TrafficSpec& traffic = scenario.fleet.traffic;
  const double seconds = absl::ToDoubleSeconds(traffic.seconds) * key.slowness;
  Family tightest{.unlimited = true};
  for (const LimitSpec& limit : key.limits) {
    if (limit.model != model) continue;
    const double cost = limit.unit == LimitSpec::Unit::kTokens ? traffic.mean_tokens : 1;
    const double window = absl::ToDoubleSeconds(limit.window);
    std::vector<Interval> family;
    switch (limit.kind) {
      case LimitSpec::Kind::kBucket:
        family = OfBucket(limit.rate / cost, limit.amount / cost, horizon);
        break;
      case LimitSpec::Kind::kFixedWindow:
        family = OfWindows(limit.amount / cost, window, absl::ToDoubleSeconds(limit.phase), horizon);
        break;
      case LimitSpec::Kind::kSliding:
        family = sliding_as_bucket ? OfBucket(limit.amount / window / cost, limit.amount / cost, horizon)
                                   : OfWindows(limit.amount / cost, window, window, horizon);
        break;
      case LimitSpec::Kind::kConcurrency:
        family = OfBucket(limit.amount / seconds, limit.amount, horizon);
        break;
    }
    if (tightest.unlimited || family.size() < tightest.permits.size()) tightest = {std::move(family), false};
  }
  std::vector<double> others;
  for (absl::Time at : scenario.other_users[index]) others.push_back(SinceStart(scenario, at));
  tightest.permits = Reduce(std::move(tightest.permits), key, others, scenario.fleet.outages);
  return tightest;
}

// Requests that a key without limits cannot serve.
std::vector<Interval> Left(const Scenario& scenario, const std::vector<Interval>& requests, const std::string& model,
                           size_t* served) {
  std::vector<const KeyModel*> unlimited;
  for (const KeyModel& key : scenario.fleet.keys) {
    const bool limited =
        std::any_of(key.limits.begin(), key.limits.end(), [&](const LimitSpec& limit) { return limit.model == model; });
    if (!limited) unlimited.push_back(&key);
  }
  std::vector<Interval> left;
  for (const Interval& request : requests) {
    const Interval clipped = Clip(request, scenario.fleet.outages);
    if (IsEmpty(clipped)) continue;
    const bool free = std::any_of(unlimited.begin(), unlimited.end(),
                                  [&](const KeyModel* key) { return !IsEmpty(Clip(clipped, key->spells)); });
    if (free) ++*served;
    if (!free) left.push_back(clipped);
  }
  return left;
}

size_t MostOf(const Scenario& scenario, const std::vector<Interval>& requests, const std::string& model) {
  size_t served = 0;
  const std::vector<Interval> left = Left(scenario, requests, model, &served);
  double horizon = 0;
  for (const Interval& request : left) horizon = std::max(horizon, request.until);
  size_t least = std::numeric_limits<size_t>::max();
  for (const bool as_bucket : {false, true}) {
    std::vector<Interval> permits;
    for (size_t i = 0; i < scenario.fleet.keys.size(); ++i) {
      const Family family = OfKey(scenario, i, model, as_bucket, horizon);
      permits.insert(permits.end(), family.permits.begin(), family.permits.end());
    }
    least = std::min(least, Match(left, permits));
  }
  return served + least;
}

}  // namespace

// A sweep over the ends.
size_t Match(const std::vector<Interval>& requests, const std::vector<Interval>& permits) {
  struct Edge {
    double at;
    bool closes;
    bool permit;
    size_t index;
    bool operator<(const Edge& other) const { return at != other.at ? at < other.at : closes < other.closes; }
  };
  std::vector<Edge> edges;
  const auto add = [&](const std::vector<Interval>& family, bool permit) {
    for (size_t i = 0; i < family.size(); ++i) {
      edges.push_back({family[i].from, false, permit, i});
      edges.push_back({family[i].until, true, permit, i});
    }
  };
  add(requests, false);
  add(permits, true);
  std::stable_sort(edges.begin(), edges.end());
  std::set<std::pair<double, size_t>> open[2];
  size_t matched = 0;
  for (const Edge& edge : edges) {
    const std::vector<Interval>& family = edge.permit ? permits : requests;
    const std::pair<double, size_t> self{family[edge.index].until, edge.index};
    if (!edge.closes) {
      open[edge.permit].insert(self);
      continue;
    }
    if (open[edge.permit].erase(self) == 0) continue;
    auto& partners = open[!edge.permit];
    if (partners.empty()) continue;
    partners.erase(partners.begin());
    ++matched;
  }
  return matched;
}

size_t MostServed(const Scenario& scenario, absl::Duration max_wait) {
  const std::vector<std::string>& models = scenario.fleet.traffic.models;
  std::vector<std::vector<Interval>> by_model(models.size());
  std::vector<Interval> all;
  for (const Request& request : scenario.requests) {
    const double from = SinceStart(scenario, request.arrival);
    by_model[request.model].push_back({from, from + absl::ToDoubleSeconds(max_wait)});
    all.push_back(by_model[request.model].back());
  }
  size_t apart = 0;
  for (size_t i = 0; i < models.size(); ++i) apart += MostOf(scenario, by_model[i], models[i]);
  return std::min(apart, MostOf(scenario, all, ""));
}

size_t Bound(const Scenario& scenario, absl::Duration max_wait) {
  if (max_wait > absl::ZeroDuration()) return MostServed(scenario, max_wait);
  const Run run = RunSeer(scenario, max_wait);
  return static_cast<size_t>(std::count_if(run.requests.begin(), run.requests.end(),
                                           [](const RequestRecord& record) { return record.fate == Fate::kServed; }));
}

}  // namespace ccr::rotation
