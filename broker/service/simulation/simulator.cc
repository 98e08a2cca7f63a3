#include "broker/service/simulation/simulator.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "broker/service/simulation/facts.h"
#include "broker/service/simulation/history.h"
#include "broker/service/simulation/replay.h"

namespace ccr::simulation {
namespace {

std::vector<std::string> NamesOf(const std::vector<core::KeySpec>& keys) {
  std::vector<std::string> names;
  names.reserve(keys.size());
  for (const core::KeySpec& key : keys) names.push_back(key.name);
  return names;
}

Rules RulesOf(const PoolPast& past) {
  return {past.spec, past.past, past.retries.enabled, past.retries.most, past.spec.queue_wait};
}

// The rules of now with what the proposal says.
Rules RulesOf(const PoolPast& past, const Proposal& proposal) {
  Rules rules = RulesOf(past);
  rules.retry = proposal.retries.enabled;
  rules.max_retries = proposal.retries.most;
  core::PoolSpec& spec = rules.spec;
  spec.strategy = proposal.spec.strategy;
  spec.max_concurrent = proposal.spec.max_concurrent;
  spec.limits = proposal.spec.limits;
  spec.queue_wait = proposal.spec.queue_wait;
  spec.queue_size = proposal.spec.queue_size;
  spec.session_affinity = proposal.spec.session_affinity;
  absl::flat_hash_map<std::string, size_t> places;
  for (size_t i = 0; i < past.spec.keys.size(); ++i) places.emplace(past.spec.keys[i].name, i);
  absl::flat_hash_set<size_t> taken;
  spec.keys = proposal.spec.keys;
  rules.past.assign(spec.keys.size(), core::kNoKey);
  for (size_t i = 0; i < spec.keys.size(); ++i) {
    core::KeySpec& key = spec.keys[i];
    const auto named = places.find(key.name);
    const size_t place = named != places.end() ? named->second : key.name.empty() ? i : past.spec.keys.size();
    if (place < past.spec.keys.size() && taken.insert(place).second) {
      const core::KeySpec& known = past.spec.keys[place];
      key.name = known.name;
      key.fingerprint = known.fingerprint;
      key.probe_interval = known.probe_interval;
      rules.past[i] = past.past[place];
    } else {
      key.fingerprint = absl::StrCat("new-", i);
      if (key.name.empty()) key.name = key.fingerprint;
    }
  }
  return rules;
}

Column Replayed(const History& history, const PoolFacts& facts, const Rules& rules, const std::function<bool()>& stop) {
  return {rules.spec.strategy, Replay(history, facts, rules, stop), NamesOf(rules.spec.keys)};
}

}  // namespace

std::optional<PoolSimulation> Simulate(const PoolPast& past, const std::string& strategy, const Proposal* proposal,
                                       const std::function<bool()>& stop) {
  const History history = Read(past.record, kMaxRequests);
  if (history.requests.empty() || past.spec.keys.empty()) return std::nullopt;
  const PoolFacts facts = FactsOf(history, past.keys, past.states);
  PoolSimulation simulation;
  simulation.pool = past.spec.name;
  simulation.from = history.from;
  simulation.until = history.until;
  simulation.truncated = history.truncated;
  simulation.recorded = {past.spec.strategy, Recorded(history), NamesOf(past.keys)};
  simulation.recorded.run.keys.resize(past.keys.size());
  simulation.configured = Replayed(history, facts, RulesOf(past), stop);
  if (strategy.empty() && proposal == nullptr) return simulation;
  Rules rules = proposal == nullptr ? RulesOf(past) : RulesOf(past, *proposal);
  if (!strategy.empty()) rules.spec.strategy = strategy;
  simulation.proposed = Replayed(history, facts, rules, stop);
  return simulation;
}

}  // namespace ccr::simulation
