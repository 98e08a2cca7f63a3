// A BrokerService over simulated time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "broker/adapters/store/memory_store.h"
#include "broker/service/broker_service.h"
#include "tests/broker/config/manual_clock.h"

namespace ccr {

inline ProviderConfig MakeProvider(const std::string& name, const std::vector<std::string>& keys) {
  ProviderConfig provider;
  provider.name = name;
  provider.base_url = "http://127.0.0.1:9/" + name;
  provider.auth_header = "authorization";
  provider.auth_prefix = "Bearer ";
  provider.models = {"m"};
  for (const std::string& key : keys) {
    KeyConfig config;
    config.name = "name-of-" + key;
    config.secret = Secret("canary-key-" + key);
    provider.keys.push_back(std::move(config));
  }
  return provider;
}

template <typename... Providers>
Config MakeConfig(Providers... providers) {
  Config config;
  (config.providers.push_back(std::move(providers)), ...);
  return config;
}

inline Secret TestSalt() {
  return Secret(std::string(32, 's'));
}

inline core::Report MakeReport(const core::LeaseId& id, int status) {
  core::Report report;
  report.id = id;
  report.evidence.http_status = status;
  return report;
}

inline LeaseCallback MustNotWait(const core::LeaseId& /*id*/) {
  ADD_FAILURE() << "the request waits";
  return [](const LeaseAnswer&) {};
}

// Leases now or is refused now.
inline LeaseAnswer LeaseNow(BrokerService& service, std::string_view pool, core::OwnerId owner = core::kNoOwner,
                            absl::Span<const std::string_view> exclude = {}) {
  LeaseParams params;
  params.pool = pool;
  params.exclude = exclude;
  params.owner = owner;
  return *service.Lease(params, MustNotWait);
}

inline std::string KeyOf(const LeaseAnswer& answer) {
  return std::string(answer.pool->secrets[answer.grant.key].Reveal());
}

}  // namespace ccr
