#include "broker/adapters/metrics/broker_metrics.h"

#include <algorithm>
#include <utility>

namespace ccr {
namespace {

using Counters = prometheus::Family<prometheus::Counter>;
using Histograms = prometheus::Family<prometheus::Histogram>;

const prometheus::Histogram::BucketBoundaries kWaitSeconds = {0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
const prometheus::Histogram::BucketBoundaries kFirstByteSeconds = {0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120};

Counters& Count(prometheus::Registry* registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(*registry);
}

Histograms& Measure(prometheus::Registry* registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(*registry);
}

std::string Name(core::Outcome outcome) {
  return std::string(core::ToString(outcome));
}

const char* Name(core::Refusal::Why why) {
  switch (why) {
    case core::Refusal::Why::kNoneAvailable:
      return "none_available";
    case core::Refusal::Why::kAllDisabled:
      return "all_disabled";
    case core::Refusal::Why::kCircuitOpen:
      return "circuit_open";
    case core::Refusal::Why::kQueueFull:
      return "queue_full";
    case core::Refusal::Why::kWaitedTooLong:
      return "waited_too_long";
  }
  return "none_available";
}

}  // namespace

BrokerMetrics::BrokerMetrics(prometheus::Registry* registry)
    : leases_(Count(registry, "ccr_leases_total", "Leases granted.")),
      reports_(Count(registry, "ccr_reports_total", "Reports that ended a lease, by outcome.")),
      outcomes_(Count(registry, "ccr_key_outcomes_total", "Reports that ended a lease, by key and outcome.")),
      refusals_(Count(registry, "ccr_lease_refusals_total", "Leases refused, by reason.")),
      affinity_(Count(registry, "ccr_session_affinity_total", "Leases of sessions, by what became of their last key.")),
      probes_(Count(registry, "ccr_probes_total", "Probes of disabled keys, by result.")),
      circuit_opened_(Count(registry, "ccr_circuit_opened_total", "Times the pool's circuit opened.")),
      expired_(Count(registry, "ccr_leases_expired_total", "Leases that ended without a report.")),
      tokens_(Count(registry, "ccr_key_tokens_total", "Tokens used with a key, by direction.")),
      wait_(Measure(registry, "ccr_lease_wait_seconds", "Time a granted lease waited for a key.")),
      first_byte_(Measure(registry, "ccr_upstream_first_byte_seconds", "Time to first byte of successful attempts.")) {}

BrokerMetrics::KeySeries BrokerMetrics::AddKey(const std::string& pool, const std::string& key) {
  KeySeries series;
  series.leases = &leases_.Add({{"pool", pool}, {"key", key}});
  series.input_tokens = &tokens_.Add({{"pool", pool}, {"key", key}, {"direction", "input"}});
  series.output_tokens = &tokens_.Add({{"pool", pool}, {"key", key}, {"direction", "output"}});
  for (size_t i = 0; i < kOutcomes; ++i) {
    const std::string outcome = Name(static_cast<core::Outcome>(i));
    series.outcomes[i] = &outcomes_.Add({{"pool", pool}, {"key", key}, {"outcome", outcome}});
  }
  return series;
}

std::shared_ptr<const BrokerMetrics::PoolSeries> BrokerMetrics::AddPool(const PoolNames& pool) {
  auto series = std::make_shared<PoolSeries>();
  const bool single_keys = pool.keys.size() <= kMaxKeysWithSeries;
  if (!single_keys) series->all = AddKey(pool.pool, "");
  for (size_t i = 0; single_keys && i < pool.keys.size(); ++i) {
    series->keys.push_back(AddKey(pool.pool, pool.keys[i].name));
  }
  for (size_t i = 0; i < kOutcomes; ++i) {
    series->reports[i] = &reports_.Add({{"pool", pool.pool}, {"outcome", Name(static_cast<core::Outcome>(i))}});
  }
  for (size_t i = 0; i < kRefusals; ++i) {
    series->refusals[i] = &refusals_.Add({{"pool", pool.pool}, {"why", Name(static_cast<core::Refusal::Why>(i))}});
  }
  for (size_t i = static_cast<size_t>(core::Affinity::kHit); i < kAffinities; ++i) {
    const std::string result(core::ToString(static_cast<core::Affinity>(i)));
    series->affinity[i] = &affinity_.Add({{"pool", pool.pool}, {"result", result}});
  }
  series->probes_recovered = &probes_.Add({{"pool", pool.pool}, {"result", "recovered"}});
  series->probes_refused = &probes_.Add({{"pool", pool.pool}, {"result", "refused"}});
  series->probes_failed = &probes_.Add({{"pool", pool.pool}, {"result", "failed"}});
  series->circuit_opened = &circuit_opened_.Add({{"pool", pool.pool}});
  series->expired = &expired_.Add({{"pool", pool.pool}});
  series->wait = &wait_.Add({{"pool", pool.pool}}, kWaitSeconds);
  series->first_byte = &first_byte_.Add({{"pool", pool.pool}}, kFirstByteSeconds);
  return series;
}

prometheus::Counter& BrokerMetrics::PoolSeries::probe(core::Outcome outcome) const {
  if (outcome == core::Outcome::kSuccess) return *probes_recovered;
  const bool refused = outcome == core::Outcome::kAuth || outcome == core::Outcome::kPermission;
  return refused ? *probes_refused : *probes_failed;
}

std::shared_ptr<const BrokerMetrics::PoolSeries> BrokerMetrics::Find(const std::string& pool) const {
  MutexLock lock(mutex_);
  const auto found = pools_.find(pool);
  return found == pools_.end() ? nullptr : found->second;
}

void BrokerMetrics::OnPoolAdded(const std::shared_ptr<const PoolNames>& pool) {
  auto series = AddPool(*pool);
  MutexLock lock(mutex_);
  pools_[pool->pool] = std::move(series);
}

void BrokerMetrics::OnPoolRemoved(const std::shared_ptr<const PoolNames>& pool) {
  MutexLock lock(mutex_);
  pools_.erase(pool->pool);
}

void BrokerMetrics::OnTransitions(const std::shared_ptr<const PoolNames>& pool,
                                  absl::Span<const core::Transition> batch) {
  using Type = core::Transition::Type;
  const std::shared_ptr<const PoolSeries> series = Find(pool->pool);
  if (series == nullptr) return;
  for (const core::Transition& transition : batch) {
    const KeySeries& key = series->key(transition.key);
    if (transition.type == Type::kLeased && key.leases != nullptr) {
      key.leases->Increment();
      series->wait->Observe(absl::ToDoubleSeconds(transition.wait));
    }
    prometheus::Counter* affinity = series->affinity[static_cast<size_t>(transition.affinity)];
    if (transition.type == Type::kLeased && affinity != nullptr) affinity->Increment();
    if (transition.type == Type::kSuccess) series->first_byte->Observe(absl::ToDoubleSeconds(transition.latency));
    if (transition.input_tokens > 0 && key.input_tokens != nullptr) {
      key.input_tokens->Increment(static_cast<double>(transition.input_tokens));
    }
    if (transition.output_tokens > 0 && key.output_tokens != nullptr) {
      key.output_tokens->Increment(static_cast<double>(transition.output_tokens));
    }
    if (transition.type == Type::kProbed) series->probe(transition.outcome).Increment();
    if (transition.type == Type::kCircuitOpened) series->circuit_opened->Increment();
    if (transition.type == Type::kLeaseExpired) series->expired->Increment();
  }
}

void BrokerMetrics::OnAnswer(const PoolNames& pool, const Answer& answer) {
  const std::shared_ptr<const PoolSeries> series = Find(pool.pool);
  if (series == nullptr) return;
  if (const auto* why = std::get_if<core::Refusal::Why>(&answer)) {
    series->refusals[static_cast<size_t>(*why)]->Increment();
    return;
  }
  const core::Decision& decision = std::get<core::Decision>(answer);
  if (decision.disposition != core::Disposition::kApplied) return;
  const auto outcome = static_cast<size_t>(decision.outcome);
  series->reports[outcome]->Increment();
  prometheus::Counter* of_key = series->key(decision.key).outcomes[outcome];
  if (of_key != nullptr) of_key->Increment();
}

}  // namespace ccr
