#include "client/cli/simulate/simulate.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "broker/config/config.h"
#include "client/cli/simulate/simulate_view.h"

namespace ccr::cli {
namespace {

namespace v1 = ::ccr::broker::v1;

void Fill(const LimitsConfig& limits, v1::Limits* out) {
  out->set_rpm(limits.rpm);
  out->set_tpm(limits.tpm);
  out->set_rpd(limits.rpd);
  out->set_tpd(limits.tpd);
}

void Fill(const KeyConfig& key, v1::KeySettings* out) {
  out->set_name(key.name);
  out->set_weight(key.weight);
  out->set_max_failures(key.max_failures);
  if (key.cooldown) out->set_cooldown_ms(static_cast<uint64_t>(absl::ToInt64Milliseconds(*key.cooldown)));
  out->set_max_concurrent(key.max_concurrent);
  Fill(key.limits, out->mutable_limits());
  for (const std::string& model : key.models) out->add_models(model);
}

void Fill(const ProviderConfig& provider, v1::PoolSettings* out) {
  out->set_provider(provider.name);
  out->set_strategy(provider.strategy);
  out->set_session_affinity(provider.session_affinity);
  out->set_max_concurrent(provider.max_concurrent);
  Fill(provider.limits, out->mutable_limits());
  out->set_max_wait_ms(static_cast<uint64_t>(absl::ToInt64Milliseconds(provider.queue.max_wait)));
  out->set_max_waiting(provider.queue.max_size);
  out->set_retry_on_failure(provider.retry_on_failure);
  out->set_max_retries(provider.max_retries);
  for (const KeyConfig& key : provider.keys) {
    Fill(key, out->add_keys());
    if (!provider.enable_rotation) break;
  }
}

// False after every mistake of the file was named. Warnings are for those who run it.
bool Read(const std::string& path, v1::SimulateRequest* request, const Terminal& terminal) {
  const ConfigResult result = LoadConfig(path, ProcessEnv());
  for (const ConfigProblem& problem : result.problems) {
    if (problem.severity == ConfigProblem::Severity::kError) terminal.err << "ccr: " << problem.ToString() << "\n";
  }
  if (!result.config) return false;
  for (const ProviderConfig& provider : result.config->providers) Fill(provider, request->add_pools());
  return true;
}

}  // namespace

int Simulate(const SimulateOptions& options, const Terminal& terminal) {
  v1::SimulateRequest request;
  request.set_pool(options.provider);
  request.set_strategy(options.strategy);
  if (!options.config_path.empty() && !Read(options.config_path, &request, terminal)) return 2;
  BrokerCall broker(options.broker);
  const absl::StatusOr<v1::SimulateResponse> response = broker.Simulate(request);
  if (!response.ok()) {
    terminal.err << "ccr: " << broker.Explain(response.status()) << broker.Meant(options.provider, response.status())
                 << "\n";
    return absl::IsInvalidArgument(response.status()) ? 2 : broker.ExitStatus(response.status());
  }
  terminal.out << (options.json ? SimulationJson(*response) + "\n" : SimulationTable(*response, absl::LocalTimeZone()));
  return 0;
}

}  // namespace ccr::cli
