// What the service knows of a pool beside its keys' state: it changes only with the configuration.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "broker/base/config.h"
#include "broker/base/secret.h"
#include "broker/core/pool.h"
#include "broker/ports/observer.h"

namespace ccr {

// A provider of the configuration as a pool: the rules of its keys, and apart from them the keys themselves.
struct PoolPlan {
  core::PoolSpec spec;
  std::vector<Secret> secrets;  // in the order of spec.keys
  std::string base_url;
  std::string auth_header;
  std::string auth_prefix;
};

// With enable_rotation=false the plan has only the provider's first key. Takes the secrets out of `provider`.
PoolPlan PlanPool(ProviderConfig* provider, absl::Duration lease_ttl, const Fingerprinter& fingerprinter);

// What a grant points to. Immutable and shared: a grant stays usable whatever a reload does. `keys` and `secrets` are
// by KeyIndex; keys that were removed stay named as long as the index is not used again, without their secret.
struct PoolInfo : PoolNames {
  std::string strategy;
  std::string base_url;
  std::string auth_header;
  std::string auth_prefix;
  absl::Duration lease_ttl;
  std::vector<Secret> secrets;
};

}  // namespace ccr
