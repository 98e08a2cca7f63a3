// The proxy's metrics, all of them.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "proxy/ports/observer.h"

namespace ccr::proxy {

// One per process. Labels are bounded: endpoints and outcomes are enumerations, providers come from the routing table
// ("none" where none was chosen), codes are HTTP's ("499" = the client went away before an answer). Thread-safe.
struct ProxyMetrics {
  static constexpr size_t kEndpoints = static_cast<size_t>(Endpoint::kMethodNotAllowed) + 1;

  explicit ProxyMetrics(prometheus::Registry& registry);
  // Of one worker's stream to the broker, on each change.
  void OnBrokerConnection(bool connected);

  prometheus::Family<prometheus::Counter>& requests;        // ccr_requests_total{endpoint,code,provider}
  prometheus::Family<prometheus::Counter>& attempts;        // ccr_upstream_attempts_total{provider,outcome}
  prometheus::Family<prometheus::Counter>& retries;         // ccr_retries_total{provider,kind}
  prometheus::Family<prometheus::Counter>& fallbacks;       // ccr_fallbacks_total{route}
  prometheus::Family<prometheus::Counter>& tokens;          // ccr_tokens_total{provider,direction}
  prometheus::Family<prometheus::Histogram>& durations;     // ccr_request_duration_seconds{endpoint}
  std::array<prometheus::Histogram*, kEndpoints> duration;  // resolved, by endpoint
  prometheus::Histogram& first_byte;                        // ccr_time_to_first_byte_seconds
  prometheus::Histogram& lease_wait;                        // ccr_lease_wait_seconds
  prometheus::Gauge& in_flight;                             // ccr_requests_in_flight
  prometheus::Gauge& connections;                           // ccr_connections
  prometheus::Counter& rejected;                            // ccr_connections_rejected_total
  prometheus::Gauge& broker_connected;                      // ccr_broker_connected

 private:
  std::atomic<int> streams_connected_{0};
};

// What one worker counts. Remembers the counters it has resolved, so that counting a request takes no lock but the
// histograms' own. Used on the worker's loop only.
class WorkerMetrics final : public RequestObserver {
 public:
  explicit WorkerMetrics(ProxyMetrics& metrics) : metrics_(metrics) {}

  void OnConnection(ConnectionEvent event) override;
  void OnRequestStarted() override;
  void OnRequestEnded(const RequestSummary& summary) override;
  void OnFallback(std::string_view route) override;
  void OnAttemptEnded(const AttemptSummary& summary) override;

 private:
  struct ProviderCounters {
    std::unordered_map<uint32_t, prometheus::Counter*> requests;  // by endpoint and code
    std::map<std::string, prometheus::Counter*, std::less<>> attempts;
    prometheus::Counter* rotations = nullptr;
    prometheus::Counter* retries = nullptr;
    prometheus::Counter* input_tokens = nullptr;
    prometheus::Counter* output_tokens = nullptr;
  };

  ProviderCounters& Of(std::string_view provider);
  prometheus::Counter& Requests(std::string_view provider, Endpoint endpoint, int status);
  prometheus::Counter& Attempts(std::string_view provider, std::string_view outcome);

  ProxyMetrics& metrics_;
  std::map<std::string, ProviderCounters, std::less<>> providers_;
};

}  // namespace ccr::proxy
