#include "broker/adapters/grpc/simulations.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "broker/adapters/grpc/convert.h"
#include "broker/adapters/grpc/errors.h"

namespace ccr {
namespace {

// Those of the configuration.
constexpr int kMaxPools = 1000;
constexpr int kMaxKeys = 100'000;
constexpr size_t kMaxNameBytes = 256;
constexpr absl::Duration kMaxQueueWait = absl::Hours(24);

std::optional<google::rpc::Status> CheckKey(const v1::KeySettings& key, const std::string& field) {
  if (key.name().size() > kMaxNameBytes) return BadField(field + "name", "longer than 256 bytes");
  if (!std::isfinite(key.weight()) || key.weight() < 0) return BadField(field + "weight", "must be 0 or more");
  if (key.max_failures() == 0) return BadField(field + "max_failures", "must be 1 or more");
  return std::nullopt;
}

core::Limits ToCore(const v1::Limits& limits) {
  return {limits.rpm(), limits.tpm(), limits.rpd(), limits.tpd()};
}

core::KeySpec ToCore(const v1::KeySettings& key) {
  core::KeySpec spec;
  spec.name = key.name();
  spec.weight = key.weight();
  spec.max_failures = key.max_failures();
  if (key.has_cooldown_ms()) spec.cooldown = FromMilliseconds(key.cooldown_ms());
  spec.max_concurrent = key.max_concurrent();
  spec.limits = ToCore(key.limits());
  spec.models.assign(key.models().begin(), key.models().end());
  return spec;
}

simulation::Proposal ToCore(const v1::PoolSettings& pool) {
  simulation::Proposal proposal;
  proposal.spec.name = pool.provider();
  proposal.spec.strategy = pool.strategy();
  proposal.spec.session_affinity = pool.session_affinity();
  proposal.spec.max_concurrent = pool.max_concurrent();
  proposal.spec.limits = ToCore(pool.limits());
  proposal.spec.queue_wait = std::min(FromMilliseconds(pool.max_wait_ms()), kMaxQueueWait);
  proposal.spec.queue_size = pool.max_waiting();
  proposal.retries = {pool.retry_on_failure(), pool.max_retries()};
  for (const v1::KeySettings& key : pool.keys()) proposal.spec.keys.push_back(ToCore(key));
  return proposal;
}

void Fill(const simulation::Column& column, v1::SimulatedRun* out) {
  const simulation::Counts& run = column.run;
  out->set_strategy(column.strategy);
  out->set_requests(run.requests);
  out->set_served(run.served);
  out->set_errors(run.errors);
  out->set_own_faults(run.own_faults);
  out->set_left(run.left);
  out->set_attempts(run.attempts);
  out->set_wasted(run.wasted);
  out->set_wait_p50_ms(static_cast<uint64_t>(absl::ToInt64Milliseconds(run.wait_p50)));
  out->set_wait_p99_ms(static_cast<uint64_t>(absl::ToInt64Milliseconds(run.wait_p99)));
  for (size_t i = 0; i < column.keys.size(); ++i) {
    v1::SimulatedKey* const key = out->add_keys();
    key->set_name(column.keys[i]);
    key->set_attempts(run.keys[i].attempts);
    key->set_served(run.keys[i].served);
  }
}

}  // namespace

std::optional<google::rpc::Status> Check(const v1::SimulateRequest& request) {
  if (request.pool().size() > kMaxNameBytes) return BadField("pool", "longer than 256 bytes");
  if (request.strategy().size() > kMaxNameBytes) return BadField("strategy", "longer than 256 bytes");
  if (request.pools_size() > kMaxPools) return BadField("pools", absl::StrCat("more than ", kMaxPools));
  for (int i = 0; i < request.pools_size(); ++i) {
    const v1::PoolSettings& pool = request.pools(i);
    const std::string field = absl::StrCat("pools[", i, "].");
    if (pool.provider().size() > kMaxNameBytes) return BadField(field + "provider", "longer than 256 bytes");
    if (pool.keys().empty()) return BadField(field + "keys", "name one at least");
    if (pool.keys_size() > kMaxKeys) return BadField(field + "keys", absl::StrCat("more than ", kMaxKeys));
    for (int k = 0; k < pool.keys_size(); ++k) {
      if (auto error = CheckKey(pool.keys(k), absl::StrCat(field, "keys[", k, "]."))) return error;
    }
  }
  return std::nullopt;
}

BrokerService::SimulationParams ToCore(const v1::SimulateRequest& request) {
  BrokerService::SimulationParams params;
  params.pool = request.pool();
  params.strategy = request.strategy();
  for (const v1::PoolSettings& pool : request.pools()) params.proposals.push_back(ToCore(pool));
  return params;
}

void Fill(const BrokerService::Simulations& simulations, v1::SimulateResponse* out) {
  for (const simulation::PoolSimulation& simulation : simulations) {
    v1::PoolSimulation* const pool = out->add_pools();
    pool->set_provider(simulation.pool);
    SetTime(simulation.from, pool->mutable_from());
    SetTime(simulation.until, pool->mutable_until());
    pool->set_truncated(simulation.truncated);
    Fill(simulation.recorded, pool->mutable_recorded());
    Fill(simulation.configured, pool->mutable_configured());
    if (simulation.proposed) Fill(*simulation.proposed, pool->mutable_proposed());
  }
}

}  // namespace ccr
