#include "broker/base/metrics_server.h"

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/registry.h>

#include <exception>
#include <utility>

namespace ccr {

MetricsServer::MetricsServer(HostPort address, std::unique_ptr<prometheus::Exposer> exposer)
    : address_(std::move(address)), exposer_(std::move(exposer)) {}

MetricsServer::~MetricsServer() = default;

void MetricsServer::Add(std::shared_ptr<prometheus::Collectable> metrics) {
  exposer_->RegisterCollectable(metrics);
  added_.push_back(std::move(metrics));
}

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(const HostPort& listen,
                                                                    std::shared_ptr<prometheus::Registry> registry) {
  try {
    auto exposer = std::make_unique<prometheus::Exposer>(listen.ToString(), 1);
    exposer->RegisterCollectable(registry);
    HostPort bound = listen;
    if (const std::vector<int> ports = exposer->GetListeningPorts(); !ports.empty()) {
      bound.port = static_cast<uint16_t>(ports.front());
    }
    return std::unique_ptr<MetricsServer>(new MetricsServer(bound, std::move(exposer)));
  } catch (const std::exception&) {  // civetweb does not say why
    return absl::UnavailableError("cannot listen for metrics on " + listen.ToString() +
                                  ": the port is taken or the address is not of this machine; choose another with "
                                  "--metrics-listen");
  }
}

}  // namespace ccr
