#include "proxy/worker/proxy_metrics.h"

#include <algorithm>

namespace ccr::proxy {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using Buckets = prometheus::Histogram::BucketBoundaries;

constexpr std::string_view kNoProvider = "none";
constexpr int kClientGone = 499;
constexpr std::array<std::string_view, 9> kOutcomes = {"success", "caller_fault", "auth",       "permission",
                                                       "quota",   "rate_limited", "overloaded", "upstream_failure",
                                                       "neutral"};

Buckets LongBuckets() {
  return {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600};
}

prometheus::Histogram& MakeHistogram(prometheus::Registry& registry, const char* name, const char* help,
                                     const Buckets& buckets) {
  return BuildHistogram().Name(name).Help(help).Register(registry).Add({}, buckets);
}

prometheus::Gauge& MakeGauge(prometheus::Registry& registry, const char* name, const char* help) {
  return BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

}  // namespace

ProxyMetrics::ProxyMetrics(prometheus::Registry& registry)
    : requests(BuildCounter()
                   .Name("ccr_requests_total")
                   .Help("Requests of clients, by endpoint, HTTP status sent and provider.")
                   .Register(registry)),
      attempts(BuildCounter()
                   .Name("ccr_upstream_attempts_total")
                   .Help("Requests to providers, by what the broker made of the answer.")
                   .Register(registry)),
      retries(
          BuildCounter()
              .Name("ccr_retries_total")
              .Help("Attempts beyond a request's first: with another key (rotate) or after a provider's fault (retry).")
              .Register(registry)),
      fallbacks(BuildCounter()
                    .Name("ccr_fallbacks_total")
                    .Help("Requests that went on with the next model of a fallback list, by route.")
                    .Register(registry)),
      tokens(BuildCounter().Name("ccr_tokens_total").Help("Tokens that providers reported.").Register(registry)),
      durations(BuildHistogram()
                    .Name("ccr_request_duration_seconds")
                    .Help("From a request's last byte to the end of its answer.")
                    .Register(registry)),
      first_byte(MakeHistogram(registry, "ccr_time_to_first_byte_seconds",
                               "From a request's last byte to the first of a provider's answer.", LongBuckets())),
      lease_wait(MakeHistogram(registry, "ccr_lease_wait_seconds", "How long requests waited for their keys.",
                               {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30})),
      in_flight(MakeGauge(registry, "ccr_requests_in_flight", "Requests being answered.")),
      connections(MakeGauge(registry, "ccr_connections", "Open connections of clients.")),
      rejected(BuildCounter()
                   .Name("ccr_connections_rejected_total")
                   .Help("Connections refused because there were too many.")
                   .Register(registry)
                   .Add({})),
      broker_connected(MakeGauge(registry, "ccr_broker_connected", "1 while the key broker is connected.")) {
  for (size_t i = 0; i < kEndpoints; ++i)
    duration[i] = &durations.Add({{"endpoint", std::string(EndpointName(static_cast<Endpoint>(i)))}}, LongBuckets());
  BuildGauge()
      .Name("ccr_proxy_build_info")
      .Help("Always 1; the labels describe this build.")
      .Register(registry)
      .Add({{"version", CCR_VERSION}})
      .Set(1);
}

void ProxyMetrics::OnBrokerConnection(bool connected) {
  const int streams = streams_connected_.fetch_add(connected ? 1 : -1) + (connected ? 1 : -1);
  broker_connected.Set(streams > 0 ? 1 : 0);
}

void WorkerMetrics::OnConnection(ConnectionEvent event) {
  switch (event) {
    case ConnectionEvent::kOpened:
      return metrics_.connections.Increment();
    case ConnectionEvent::kClosed:
      return metrics_.connections.Decrement();
    case ConnectionEvent::kRejected:
      return metrics_.rejected.Increment();
  }
}

void WorkerMetrics::OnRequestStarted() {
  metrics_.in_flight.Increment();
}

void WorkerMetrics::OnRequestEnded(const RequestSummary& summary) {
  metrics_.in_flight.Decrement();
  Requests(summary.provider, summary.endpoint, summary.status).Increment();
  metrics_.duration[static_cast<size_t>(summary.endpoint)]->Observe(absl::ToDoubleSeconds(summary.total));
  if (summary.first_byte) metrics_.first_byte.Observe(absl::ToDoubleSeconds(*summary.first_byte));
  if (summary.lease_wait) metrics_.lease_wait.Observe(absl::ToDoubleSeconds(*summary.lease_wait));
}

void WorkerMetrics::OnFallback(std::string_view route) {
  metrics_.fallbacks.Add({{"route", std::string(route)}}).Increment();
}

void WorkerMetrics::OnAttemptEnded(const AttemptSummary& summary) {
  ProviderCounters& counters = Of(summary.provider);
  Attempts(summary.provider, summary.outcome).Increment();
  if (summary.kind == AttemptSummary::Kind::kRotate) counters.rotations->Increment();
  if (summary.kind == AttemptSummary::Kind::kRetry) counters.retries->Increment();
  if (summary.input_tokens > 0) counters.input_tokens->Increment(static_cast<double>(summary.input_tokens));
  if (summary.output_tokens > 0) counters.output_tokens->Increment(static_cast<double>(summary.output_tokens));
}

WorkerMetrics::ProviderCounters& WorkerMetrics::Of(std::string_view provider) {
  if (const auto known = providers_.find(provider); known != providers_.end()) return known->second;
  const std::string name(provider);
  ProviderCounters& counters = providers_[name];
  if (name.empty()) return counters;
  counters.rotations = &metrics_.retries.Add({{"provider", name}, {"kind", "rotate"}});
  counters.retries = &metrics_.retries.Add({{"provider", name}, {"kind", "retry"}});
  counters.input_tokens = &metrics_.tokens.Add({{"provider", name}, {"direction", "input"}});
  counters.output_tokens = &metrics_.tokens.Add({{"provider", name}, {"direction", "output"}});
  return counters;
}

prometheus::Counter& WorkerMetrics::Requests(std::string_view provider, Endpoint endpoint, int status) {
  const int code = status == 0 ? kClientGone : status;
  prometheus::Counter*& counter =
      Of(provider).requests[static_cast<uint32_t>(endpoint) << 16 | static_cast<uint32_t>(code)];
  if (counter == nullptr) {
    counter = &metrics_.requests.Add({{"endpoint", std::string(EndpointName(endpoint))},
                                      {"code", std::to_string(code)},
                                      {"provider", std::string(provider.empty() ? kNoProvider : provider)}});
  }
  return *counter;
}

prometheus::Counter& WorkerMetrics::Attempts(std::string_view provider, std::string_view outcome) {
  if (std::find(kOutcomes.begin(), kOutcomes.end(), outcome) == kOutcomes.end()) outcome = "unknown";
  auto& attempts = Of(provider).attempts;
  if (const auto known = attempts.find(outcome); known != attempts.end()) return *known->second;
  prometheus::Counter& counter =
      metrics_.attempts.Add({{"provider", std::string(provider)}, {"outcome", std::string(outcome)}});
  attempts.emplace(outcome, &counter);
  return counter;
}

}  // namespace ccr::proxy
