#include "broker/service/simulation/facts.h"

#include <algorithm>
#include <map>
#include <utility>

#include "broker/core/verdict/outcome.h"

namespace ccr::simulation {
namespace {

using core::Outcome;

constexpr absl::Duration kLongestRest = absl::Minutes(2);  // that a limit of a minute explains
constexpr double kUsedAtLeast = 0.5;                       // of a limit, when it refuses
constexpr size_t kSamples = 20;                            // before a key is called slow or fast
constexpr double kMostSlowness = 10;

struct Call {
  const Attempt* attempt;
  uint16_t model;
  bool served_elsewhere;  // its request was, by a later attempt
};
// What a limit is found by.
struct Limited {
  std::vector<LimitedCall> calls;
  std::vector<ToldLimit> said;
};
using Calls = std::vector<Call>;  // by the time they were granted

bool Succeeded(const Call& call) {
  return call.attempt->outcome == Outcome::kSuccess;
}

bool WasCut(const Call& call) {
  const int status = call.attempt->http_status;
  return call.attempt->outcome == Outcome::kUpstreamFailure && status >= 200 && status <= 299;
}

absl::Duration Median(std::vector<absl::Duration> times, absl::Duration otherwise) {
  if (times.empty()) return otherwise;
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

Calls Sorted(Calls calls) {
  std::stable_sort(calls.begin(), calls.end(),
                   [](const Call& a, const Call& b) { return a.attempt->granted < b.attempt->granted; });
  return calls;
}

void DeclareLimits(const core::KeySpec& spec, KeyFacts* facts) {
  if (spec.limits.rpm > 0) facts->limit = {CallLimit::Kind::kSliding, static_cast<double>(spec.limits.rpm)};
  facts->tpm = spec.limits.tpm;
}

// The calls to one key, and what follows from them.
class KeyReader {
 public:
  KeyReader(const Calls& calls, absl::Span<const ProbeAnswer> probes)
      : calls_(calls), back_(calls.size(), absl::InfiniteFuture()) {
    for (const ProbeAnswer& probe : probes) {
      if (probe.http_status >= 200 && probe.http_status <= 299) accepted_.push_back(probe.at);
      if (probe.http_status == 401 || probe.http_status == 403) refused_.push_back(probe.at);
    }
    for (size_t i = calls.size(); i-- > 1;) {
      back_[i - 1] = Succeeded(calls[i]) || WasCut(calls[i]) ? calls[i].attempt->granted : back_[i];
    }
  }

  KeyFacts Read(const core::KeySpec& spec) {
    ReadLimit(spec);
    for (size_t i = 0; i < calls_.size(); ++i) {
      const Attempt& attempt = *calls_[i].attempt;
      switch (attempt.outcome) {
        case Outcome::kAuth:
        case Outcome::kPermission:
          AddRefusal(i);
          break;
        case Outcome::kQuota:
          Add(attempt,
              attempt.retry_after ? std::min(attempt.ended + *attempt.retry_after, BackAfter(i)) : BackAfter(i),
              attempt.retry_after.has_value());
          break;
        case Outcome::kRateLimited:
          if (!IsExplained(i))
            Add(attempt, std::min(EndOfRest(attempt), BackAfter(i)), attempt.retry_after.has_value());
          break;
        case Outcome::kUpstreamFailure:
          if (WasCut(calls_[i])) {
            ++cut_;
          } else {
            i = AddFailures(i);
          }
          break;
        default:
          break;
      }
    }
    facts_.flaky = static_cast<double>(alone_) / static_cast<double>(std::max<size_t>(1, calls_.size()));
    facts_.cut = static_cast<double>(cut_) / static_cast<double>(std::max<size_t>(1, calls_.size()));
    return std::move(facts_);
  }

 private:
  void Add(const Attempt& attempt, absl::Time until, bool told) {
    facts_.spells.push_back({attempt.granted, until, attempt.outcome, attempt.http_status, told});
  }

  static absl::Time EndOfRest(const Attempt& attempt) {
    return attempt.ended + attempt.retry_after.value_or(absl::ZeroDuration());
  }

  // When the next call after that one succeeds, or a probe.
  absl::Time BackAfter(size_t i) const { return std::min(back_[i], FirstAfter(accepted_, calls_[i].attempt->ended)); }

  static absl::Time FirstAfter(const std::vector<absl::Time>& times, absl::Time time) {
    const auto after = std::upper_bound(times.begin(), times.end(), time);
    return after == times.end() ? absl::InfiniteFuture() : *after;
  }

  void AddRefusal(size_t i) {
    const Attempt& attempt = *calls_[i].attempt;
    const absl::Time back = BackAfter(i);
    const bool probed = FirstAfter(refused_, attempt.ended) < back;
    Add(attempt, calls_[i].served_elsewhere || probed ? back : attempt.ended, /*told=*/false);
  }

  // Of a row of failures; returns its last one.
  size_t AddFailures(size_t first) {
    size_t last = first;
    for (size_t i = first + 1; i < calls_.size() && !Succeeded(calls_[i]) && !WasCut(calls_[i]); ++i) {
      if (calls_[i].attempt->outcome == Outcome::kUpstreamFailure) last = i;
    }
    if (last == first) {
      ++alone_;
    } else {
      Add(*calls_[first].attempt, calls_[last].attempt->ended, /*told=*/false);
    }
    return last;
  }

  static bool IsShort(const Attempt& attempt) { return !attempt.retry_after || *attempt.retry_after <= kLongestRest; }

  bool IsExplained(size_t i) const { return IsShort(*calls_[i].attempt) && used_[i] >= kUsedAtLeast; }

  void ReadLimit(const core::KeySpec& spec) {
    Limited all;
    std::map<uint16_t, Limited> of_models;
    size_t refused = 0, told = 0, good = 0;
    for (const Call& call : calls_) {
      const Attempt& attempt = *call.attempt;
      const bool limits = attempt.outcome == Outcome::kRateLimited;
      const LimitedCall limited{attempt.granted, attempt.ended, Succeeded(call), limits && IsShort(attempt),
                                attempt.retry_after};
      refused += limits ? 1 : 0;
      told += limits && attempt.retry_after ? 1 : 0;
      good += limited.served ? 1 : 0;
      for (Limited* of : {&all, &of_models[call.model]}) {
        of->calls.push_back(limited);
        if (limited.served && attempt.limit) of->said.push_back(*attempt.limit);
      }
    }
    facts_.tells_return = 2 * told >= refused;
    facts_.tells_limit = !all.said.empty() && 2 * all.said.size() >= good;
    if (facts_.tells_limit) {
      TakeTold(all, of_models);
    } else {
      TakeFitting(all, of_models);
    }
    if (facts_.limit.kind == CallLimit::Kind::kNone && facts_.of_models.empty()) DeclareLimits(spec, &facts_);
    used_ = UsedShares(all, of_models);
  }

  // A limit that all models together exceeded, or that is another for each, is of one model.
  void TakeTold(const Limited& all, const std::map<uint16_t, Limited>& of_models) {
    const CallLimit told = LimitToldBy(all.said);
    bool by_model = MostUsed(all.calls, told) > kExceeded * told.most;
    for (const auto& [model, limited] : of_models) {
      const double most = LimitToldBy(limited.said).most;
      by_model |= most > 0 && (most > kExceeded * told.most || told.most > kExceeded * most);
    }
    if (of_models.size() < 2 || !by_model) {
      facts_.limit = Widened(told, all.calls);
      return;
    }
    for (const auto& [model, limited] : of_models) {
      facts_.of_models[model] = Widened(LimitToldBy(limited.said), limited.calls);
    }
  }

  void TakeFitting(const Limited& all, const std::map<uint16_t, Limited>& of_models) {
    const Fit fit = FitLimit(all.calls);
    facts_.limit = fit.limit;
    if (of_models.size() < 2 || fit.limit.kind == CallLimit::Kind::kNone) return;
    std::map<uint16_t, CallLimit> fitting;
    int score = 0;
    for (const auto& [model, limited] : of_models) {
      const Fit of_model = FitLimit(limited.calls);
      score += of_model.score;
      fitting[model] = of_model.limit;
    }
    if (score > fit.score) facts_.of_models = std::move(fitting);
  }

  // By call: how much of its limit was used before it.
  std::vector<double> UsedShares(const Limited& all, const std::map<uint16_t, Limited>& of_models) const {
    if (facts_.of_models.empty()) return SharesOf(all.calls, facts_.limit);
    std::map<uint16_t, std::vector<double>> shares;
    for (const auto& [model, limited] : of_models) {
      shares[model] = SharesOf(limited.calls, facts_.of_models.at(model));
    }
    std::map<uint16_t, size_t> next;
    std::vector<double> in_order;
    for (const Call& call : calls_) in_order.push_back(shares[call.model][next[call.model]++]);
    return in_order;
  }

  static std::vector<double> SharesOf(const std::vector<LimitedCall>& calls, const CallLimit& limit) {
    std::vector<double> shares = UsedBefore(calls, limit);
    for (double& share : shares) share = limit.most > 0 ? share / limit.most : 0;
    return shares;
  }

  const Calls& calls_;
  std::vector<absl::Time> back_;                // by call: when the next one succeeds
  std::vector<double> used_;                    // by call: the share of its limit before it
  std::vector<absl::Time> accepted_, refused_;  // probes
  KeyFacts facts_;
  size_t alone_ = 0, cut_ = 0;
};

// Of a key without a call.
KeyFacts AsItIs(const core::KeySpec& spec, const core::KeySnapshot* state) {
  KeyFacts facts;
  DeclareLimits(spec, &facts);
  if (state == nullptr || state->state == core::KeyState::kActive) return facts;
  const bool limit = core::MeansLimit(state->reason);
  Spell spell{absl::InfinitePast(), absl::InfiniteFuture(), Outcome::kUpstreamFailure, 500, limit};
  if (state->reason.starts_with("auth")) spell = {spell.from, spell.until, Outcome::kAuth, 401, false};
  if (limit) spell = {spell.from, state->available_at, Outcome::kQuota, 429, true};
  facts.spells.push_back(spell);
  return facts;
}

std::vector<Spell> OverloadsOf(const Calls& calls) {
  std::vector<Spell> spells;
  bool going_on = false;
  for (const Call& call : calls) {
    const Attempt& attempt = *call.attempt;
    if (attempt.outcome == Outcome::kOverloaded) {
      if (!going_on) {
        spells.push_back({attempt.granted, attempt.ended, attempt.outcome, attempt.http_status, false});
      }
      spells.back().until = std::max(spells.back().until, attempt.ended);
    }
    if (attempt.outcome == Outcome::kOverloaded || attempt.outcome == Outcome::kSuccess) {
      going_on = attempt.outcome == Outcome::kOverloaded;
    }
  }
  return spells;
}

absl::Duration Took(const Call& call) {
  return call.attempt->ended - call.attempt->granted;
}

double MeanSeconds(const Calls& calls, size_t* samples) {
  double sum = 0;
  *samples = 0;
  for (const Call& call : calls) {
    if (!Succeeded(call)) continue;
    sum += absl::ToDoubleSeconds(Took(call));
    ++*samples;
  }
  return *samples == 0 ? 0 : sum / static_cast<double>(*samples);
}

void ReadTimes(const Calls& all, PoolFacts* facts) {
  std::vector<absl::Duration> first_bytes, totals, failures;
  for (const Call& call : all) {
    if (Succeeded(call)) {
      first_bytes.push_back(call.attempt->first_byte);
      totals.push_back(Took(call));
    } else if (call.attempt->outcome != Outcome::kNeutral) {
      failures.push_back(Took(call));
    }
  }
  facts->first_byte = Median(std::move(first_bytes), absl::Milliseconds(500));
  facts->total = Median(std::move(totals), absl::Seconds(2));
  facts->failure = Median(std::move(failures), absl::Milliseconds(100));
}

}  // namespace

PoolFacts FactsOf(const History& history, absl::Span<const core::KeySpec> specs,
                  absl::Span<const core::KeySnapshot> states) {
  std::vector<Calls> calls(specs.size());
  Calls all;
  for (const PastRequest& request : history.requests) {
    for (const Attempt& attempt : request.attempts) {
      const Call call{&attempt, request.model, request.ending == Ending::kServed};
      all.push_back(call);
      if (attempt.key < calls.size()) calls[attempt.key].push_back(call);
    }
  }
  all = Sorted(std::move(all));
  std::vector<std::vector<ProbeAnswer>> probes(specs.size());
  for (const ProbeAnswer& probe : history.probes) {
    if (probe.key < probes.size()) probes[probe.key].push_back(probe);
  }
  std::vector<const core::KeySnapshot*> state_of(specs.size(), nullptr);
  for (const core::KeySnapshot& state : states) {
    if (state.key < state_of.size()) state_of[state.key] = &state;
  }

  PoolFacts facts;
  facts.overloads = OverloadsOf(all);
  ReadTimes(all, &facts);
  size_t samples = 0;
  const double mean = MeanSeconds(all, &samples);
  for (size_t key = 0; key < specs.size(); ++key) {
    calls[key] = Sorted(std::move(calls[key]));
    KeyFacts& of_key = facts.keys.emplace_back(
        calls[key].empty() ? AsItIs(specs[key], state_of[key]) : KeyReader(calls[key], probes[key]).Read(specs[key]));
    const core::KeySnapshot* const state = state_of[key];
    if (state != nullptr) of_key.max_in_flight = state->learned.max_in_flight;
    const double of_this = MeanSeconds(calls[key], &samples);
    if (samples >= kSamples && mean > 0) of_key.slowness = std::clamp(of_this / mean, 1 / kMostSlowness, kMostSlowness);
  }
  return facts;
}

}  // namespace ccr::simulation
