#include "broker/service/pool_info.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/hash/hash.h"

namespace ccr {

namespace {

// So long a trial may hold up others before the next one goes: users wait.
constexpr absl::Duration kMaxTrialTime = absl::Seconds(30);

ProbePlan PlanProbe(const ProviderConfig& provider, const Config& config) {
  if (!provider.probe.enabled) return {};
  ProbePlan plan{provider.probe.url,
                 {},
                 provider.proxy_url,
                 provider.authorities.empty() ? config.authorities : provider.authorities};
  if (provider.format == ProviderFormat::kAnthropic) plan.headers.emplace_back("anthropic-version", "2023-06-01");
  return plan;
}

size_t HashOf(const std::vector<TransformerConfig>& transformers) {
  size_t hash = transformers.size();
  for (const TransformerConfig& transformer : transformers) {
    hash = absl::HashOf(hash, transformer.name, transformer.options);
  }
  return hash;
}

// Of all that decides how the provider is asked.
uint64_t AccessOf(const ProviderConfig& provider, const PoolPlan& plan) {
  size_t hash = absl::HashOf(plan.base_url, plan.auth_header, plan.auth_prefix, plan.probe.url, plan.probe.proxy_url,
                             static_cast<int>(provider.format), HashOf(provider.transformers));
  for (const auto& [model, transformers] : provider.model_transformers) {
    hash = absl::HashOf(hash, model, HashOf(transformers));
  }
  return hash;
}

std::shared_ptr<PoolInfo> Clone(const PoolInfo& info) {
  auto clone = std::make_shared<PoolInfo>();
  static_cast<PoolNames&>(*clone) = info;
  clone->rules = info.rules;
  clone->base_url = info.base_url;
  clone->auth_header = info.auth_header;
  clone->auth_prefix = info.auth_prefix;
  clone->probe = info.probe;
  clone->lease_ttl = info.lease_ttl;
  clone->secrets.reserve(info.secrets.size());
  for (const Secret& secret : info.secrets) clone->secrets.push_back(secret.Clone());
  return clone;
}

core::Outcome OutcomeOf(std::string_view name) {
  if (name == "quota") return core::Outcome::kQuota;
  if (name == "auth") return core::Outcome::kAuth;
  if (name == "rate_limited") return core::Outcome::kRateLimited;
  if (name == "overloaded") return core::Outcome::kOverloaded;
  return name == "upstream" ? core::Outcome::kUpstreamFailure : core::Outcome::kCallerFault;
}

core::Limits LimitsOf(const LimitsConfig& limits) {
  return {limits.rpm, limits.tpm, limits.rpd, limits.tpd};
}

}  // namespace

PoolPlan PlanPool(ProviderConfig* provider, const Config& config, const Fingerprinter& fingerprinter) {
  PoolPlan plan;
  plan.probe = PlanProbe(*provider, config);
  plan.base_url = provider->base_url;
  plan.auth_header = provider->auth_header;
  plan.auth_prefix = provider->auth_prefix;
  plan.spec.access = AccessOf(*provider, plan);
  plan.spec.name = provider->name;
  plan.spec.strategy = provider->strategy;
  plan.spec.max_concurrent = provider->max_concurrent;
  plan.spec.limits = LimitsOf(provider->limits);
  plan.spec.lease_ttl = config.broker.lease_ttl.value_or(config.api_timeout);
  plan.spec.queue_wait = provider->queue.max_wait;
  plan.spec.queue_size = provider->queue.max_size;
  plan.spec.trial_time = std::min(provider->timeouts.connect + provider->timeouts.first_byte, kMaxTrialTime);
  plan.spec.session_affinity = provider->session_affinity;
  for (const ErrorRuleConfig& rule : provider->errors) {
    plan.spec.error_rules.push_back({rule.status, rule.code, rule.match, OutcomeOf(rule.as)});
  }
  plan.rules = plan.spec;
  for (KeyConfig& key : provider->keys) {
    plan.spec.keys.push_back(
        {.name = key.name,
         .fingerprint = fingerprinter.Of(key.secret),
         .weight = key.weight,
         .max_failures = key.max_failures,
         .cooldown = key.cooldown,
         .max_concurrent = key.max_concurrent,
         .limits = LimitsOf(key.limits),
         .models = std::move(key.models),
         .probe_interval = provider->probe.enabled ? provider->probe.interval : absl::ZeroDuration(),
         .out_until = key.enabled ? absl::InfinitePast() : absl::InfiniteFuture(),
         .out_reason = key.enabled ? std::string_view() : core::kOutByConfiguration});
    plan.secrets.push_back(std::move(key.secret));
    if (!provider->enable_rotation) break;
  }
  provider->keys.clear();
  return plan;
}

std::shared_ptr<PoolInfo> MakeInfo(const PoolInfo& before, const core::Reconfiguration& change, PoolPlan* plan) {
  auto info = std::make_shared<PoolInfo>();
  info->pool = change.spec.name;
  info->rules = std::move(plan->rules);
  info->base_url = std::move(plan->base_url);
  info->auth_header = std::move(plan->auth_header);
  info->auth_prefix = std::move(plan->auth_prefix);
  info->probe = std::move(plan->probe);
  info->lease_ttl = change.spec.lease_ttl;
  info->keys = before.keys;
  for (size_t i = 0; i < change.numbers.size(); ++i) {
    const core::KeyIndex key = change.numbers[i];
    if (key >= info->keys.size()) info->keys.resize(key + 1);
    info->secrets.resize(info->keys.size());
    info->keys[key] = change.spec.keys[i];
    info->secrets[key] = std::move(plan->secrets[i]);
  }
  info->secrets.resize(info->keys.size());
  return info;
}

PoolPlan CopyPlan(const PoolInfo& info, absl::Span<const core::KeyIndex> keys) {
  PoolPlan plan;
  plan.spec = plan.rules = info.rules;
  plan.base_url = info.base_url;
  plan.auth_header = info.auth_header;
  plan.auth_prefix = info.auth_prefix;
  plan.probe = info.probe;
  for (const core::KeyIndex key : keys) {
    plan.spec.keys.push_back(info.keys[key]);
    plan.secrets.push_back(info.secrets[key].Clone());
  }
  return plan;
}

std::shared_ptr<PoolInfo> WithSecretsOf(const PoolInfo& before, const PoolInfo& after) {
  std::shared_ptr<PoolInfo> both;
  for (size_t key = 0; key < before.secrets.size(); ++key) {
    if (before.secrets[key].empty() || !after.secrets[key].empty()) continue;
    if (both == nullptr) both = Clone(after);
    both->secrets[key] = before.secrets[key].Clone();
  }
  return both;
}

}  // namespace ccr
