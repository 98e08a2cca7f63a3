// A pool and its keys as they are configured.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "broker/core/types.h"

namespace ccr::core {

// At most that many requests and tokens in any minute and in any day; 0 = no limit.
struct Limits {
  uint64_t rpm = 0, tpm = 0, rpd = 0, tpd = 0;
};

inline constexpr std::string_view kOutByOperator = "operator";
inline constexpr std::string_view kOutByConfiguration = "configuration";

struct KeySpec {
  std::string name;
  std::string fingerprint;  // identity: state follows it over reloads
  double weight = 1;        // 0 = only when no key with a weight is available
  uint32_t max_failures = 3;
  // The first rest after a failure, doubling up to 30 min; unset: 1 s, doubling up to 1 min, and 10 s for a disabled key.
  std::optional<absl::Duration> cooldown = {};
  uint32_t max_concurrent = 0;  // 0 = no limit
  Limits limits = {};
  std::vector<std::string> models = {};               // those it may serve; empty: all
  absl::Duration probe_interval = absl::Seconds(10);  // until the first probe of a disabled key; 0 = none ever
  // Taken out by people until then, whatever answers say of it: InfiniteFuture = until they put it back.
  absl::Time out_until = absl::InfinitePast();
  std::string_view out_reason = {};  // static storage: kOutByOperator, kOutByConfiguration
};

struct PoolSpec {
  std::string name;
  std::string strategy = "round_robin";  // one of StrategyNames(); an unknown one is taken for round_robin
  std::vector<KeySpec> keys;             // at least one, fingerprints unique
  uint32_t max_concurrent = 0;           // of the pool in all; 0 = no limit
  Limits limits = {};
  absl::Duration lease_ttl = absl::Minutes(10);
  absl::Duration queue_wait = absl::ZeroDuration();  // upper bound of a wait; 0 = nobody waits
  uint32_t queue_size = 1000;
  absl::Duration trial_time = absl::Seconds(30);  // how long a trial holds up the next one
  bool session_affinity = true;                   // leases of a session prefer the key of its last success
  // How the provider is asked: a hash of address, authentication and what changes requests. When it changes, what the
  // provider said of its keys' right to ask counts no more.
  uint64_t access = 0;
  std::vector<ErrorRule> error_rules = {};  // the first that matches counts
};

// A change of configuration under way, see Pool::Number.
struct Reconfiguration {
  explicit Reconfiguration(PoolSpec s) : spec(std::move(s)) {}

  PoolSpec spec;                  // the new one; when all is adopted, the old one
  std::vector<KeyIndex> numbers;  // of the keys, in their order
  std::vector<KeyIndex> added;    // those of them that the pool knew nothing of
  size_t adopted = 0;             // progress
  bool keys_adopted = false;
  KeyIndex asked_anew = 0;  // progress, when the access has changed
};

}  // namespace ccr::core
