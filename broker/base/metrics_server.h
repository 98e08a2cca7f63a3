// The /metrics endpoint of a daemon.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "broker/base/address.h"

namespace prometheus {
class Registry;
class Exposer;
}  // namespace prometheus

namespace ccr {

// Serves GET /metrics in the Prometheus text format from its own threads until destroyed.
class MetricsServer {
 public:
  // Unavailable when the address is taken.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(const HostPort& listen,
                                                              std::shared_ptr<prometheus::Registry> registry);
  ~MetricsServer();
  HostPort address() const { return address_; }  // the port really bound

 private:
  MetricsServer(HostPort address, std::unique_ptr<prometheus::Exposer> exposer);

  HostPort address_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace ccr
