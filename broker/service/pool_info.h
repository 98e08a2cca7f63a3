// What the service knows of a pool beside its keys' state: it changes only with the configuration.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "broker/base/secret.h"
#include "broker/config/config.h"
#include "broker/core/pool_spec.h"
#include "broker/core/snapshot.h"
#include "broker/ports/key_store.h"
#include "broker/ports/observer.h"

namespace ccr {

// How keys of a pool are probed: what a KeyProbe has beside the credential.
struct ProbePlan {
  std::string url;  // empty: not at all
  std::vector<std::pair<std::string, std::string>> headers;
  std::string proxy_url;
  std::string authorities;
};

// A provider of the configuration as a pool: the rules of its keys, and apart from them the keys themselves.
struct PoolPlan {
  core::PoolSpec spec;
  core::PoolSpec rules;         // the same without keys
  std::vector<Secret> secrets;  // in the order of spec.keys
  std::string base_url;
  std::string auth_header;
  std::string auth_prefix;
  ProbePlan probe;
};

// With enable_rotation=false the plan has only the provider's first key. Takes the secrets out of `provider`, which is
// one of `config`.
PoolPlan PlanPool(ProviderConfig* provider, const Config& config, const Fingerprinter& fingerprinter);

// What the store remembers of a pool's keys, by fingerprint.
struct RememberedKey {
  core::KeySnapshot state;
  LastError error;
};
using RememberedKeys = absl::flat_hash_map<std::string, RememberedKey>;

// What a grant points to. Immutable and shared: a grant stays usable whatever a reload does. `keys` and `secrets` are
// by KeyIndex; keys that were removed stay named as long as the index is not used again, without their secret.
struct PoolInfo : PoolNames {
  core::PoolSpec rules;  // without keys
  std::string base_url;
  std::string auth_header;
  std::string auth_prefix;
  ProbePlan probe;
  absl::Duration lease_ttl;
  std::vector<Secret> secrets;
};

// What a pool is once its keys have their numbers: `before` names those that left. Takes the secrets out of `plan`.
std::shared_ptr<PoolInfo> MakeInfo(const PoolInfo& before, const core::Reconfiguration& change, PoolPlan* plan);

// The plan that `info` came of, with those keys in that order.
PoolPlan CopyPlan(const PoolInfo& info, absl::Span<const core::KeyIndex> keys);

// `after` with the secrets of keys that only `before` has, for the time in which both may be granted; null when there
// is none.
std::shared_ptr<PoolInfo> WithSecretsOf(const PoolInfo& before, const PoolInfo& after);

}  // namespace ccr
