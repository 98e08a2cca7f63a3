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
                             const Fleet& fleet) {
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
  const double good = GoodShare(key, fleet.traffic);
  for (size_t i = 0; i < permits.size(); ++i) {
    if (gone[i]) continue;
    const Interval permit = Clip(Clip(permits[i], key.spells), fleet.outages);
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
  bool unlimited = true;
};

// With what a key is asked: one model, or all together.
constexpr size_t kAllModels = std::numeric_limits<size_t>::max();

bool IsOf(const TrafficSpec& traffic, const LimitSpec& limit, size_t model) {
  return limit.model.empty() || (model != kAllModels && limit.model == traffic.models[model]);
}

std::vector<Interval> OfLimit(const Scenario& scenario, const KeyModel& key, const LimitSpec& limit,
                              bool sliding_as_bucket, double horizon) {
  const TrafficSpec& traffic = scenario.fleet.traffic;
  const double cost = limit.unit == LimitSpec::Unit::kTokens ? traffic.mean_tokens : 1;
  const double amount = limit.amount / cost, window = absl::ToDoubleSeconds(limit.window);
  switch (limit.kind) {
    case LimitSpec::Kind::kBucket:
      return OfBucket(limit.rate / cost, amount, horizon);
    case LimitSpec::Kind::kFixedWindow:
      return OfWindows(amount, window, absl::ToDoubleSeconds(limit.phase), horizon);
    case LimitSpec::Kind::kSliding:
      return sliding_as_bucket ? OfBucket(amount / window, amount, horizon)
                               : OfWindows(amount, window, window, horizon);
    case LimitSpec::Kind::kConcurrency:
      return OfBucket(limit.amount / (absl::ToDoubleSeconds(traffic.seconds) * key.slowness), limit.amount, horizon);
  }
  return {};
}

void Tighten(std::vector<Interval> permits, Family* family) {
  if (family->unlimited || permits.size() < family->permits.size()) *family = {std::move(permits), false};
}

// What the tightest limit of a key permits. For all models together that may be what it permits for each of them.
Family OfKey(const Scenario& scenario, const KeyModel& key, size_t model, bool sliding_as_bucket, double horizon) {
  const TrafficSpec& traffic = scenario.fleet.traffic;
  Family tightest;
  for (const LimitSpec& limit : key.limits) {
    if (IsOf(traffic, limit, model)) Tighten(OfLimit(scenario, key, limit, sliding_as_bucket, horizon), &tightest);
  }
  if (model != kAllModels) return tightest;
  Family together{.unlimited = false};
  for (size_t each = 0; each < traffic.models.size() && !together.unlimited; ++each) {
    Family one = OfKey(scenario, key, each, sliding_as_bucket, horizon);
    together.unlimited = one.unlimited;
    together.permits.insert(together.permits.end(), one.permits.begin(), one.permits.end());
  }
  if (!together.unlimited) Tighten(std::move(together.permits), &tightest);
  return tightest;
}

// Requests that a key without limits cannot serve.
std::vector<Interval> Left(const Scenario& scenario, const std::vector<Interval>& requests, size_t model,
                           size_t* served) {
  std::vector<const KeyModel*> unlimited;
  for (const KeyModel& key : scenario.fleet.keys) {
    if (OfKey(scenario, key, model, false, 0).unlimited) unlimited.push_back(&key);
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

size_t MostOf(const Scenario& scenario, const std::vector<Interval>& requests, size_t model) {
  size_t served = 0;
  const std::vector<Interval> left = Left(scenario, requests, model, &served);
  double horizon = 0;
  for (const Interval& request : left) horizon = std::max(horizon, request.until);
  size_t least = std::numeric_limits<size_t>::max();
  for (const bool as_bucket : {false, true}) {
    std::vector<Interval> permits;
    for (size_t i = 0; i < scenario.fleet.keys.size(); ++i) {
      const KeyModel& key = scenario.fleet.keys[i];
      std::vector<double> others;
      for (absl::Time at : scenario.other_users[i]) others.push_back(SinceStart(scenario, at));
      const Family family = OfKey(scenario, key, model, as_bucket, horizon);
      const std::vector<Interval> good = Reduce(family.permits, key, others, scenario.fleet);
      permits.insert(permits.end(), good.begin(), good.end());
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
  for (size_t i = 0; i < models.size(); ++i) apart += MostOf(scenario, by_model[i], i);
  // A stream that is cut is served by nobody.
  double cut = 1;
  for (const KeyModel& key : scenario.fleet.keys) cut = std::min(cut, key.cut * scenario.fleet.traffic.stream_share);
  const auto uncut = static_cast<size_t>((1 - cut) * static_cast<double>(all.size()));
  return std::min({apart, MostOf(scenario, all, kAllModels), uncut});
}

size_t Bound(const Scenario& scenario, absl::Duration max_wait) {
  const Run run = RunSeer(scenario, max_wait);
  const auto seen =
      static_cast<size_t>(std::count_if(run.requests.begin(), run.requests.end(),
                                        [](const RequestRecord& record) { return record.fate == Fate::kServed; }));
  const bool no_rate = std::any_of(scenario.fleet.keys.begin(), scenario.fleet.keys.end(), [](const KeyModel& key) {
    return key.other_user > 0 || std::any_of(key.limits.begin(), key.limits.end(), [](const LimitSpec& limit) {
             return limit.kind == LimitSpec::Kind::kConcurrency;
           });
  });
  if (no_rate && max_wait == absl::ZeroDuration()) return seen;
  return std::max(seen, MostServed(scenario, max_wait));
}

}  // namespace ccr::rotation
