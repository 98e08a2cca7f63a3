// The /metrics endpoint of a daemon.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/base/address.h"

namespace prometheus {
class Collectable;
class Registry;
class Exposer;
}  // namespace prometheus

namespace ccr {

// Serves GET /metrics in the Prometheus text format from its own threads until destroyed, which takes no longer than a
// scrape that is under way.
class MetricsServer {
 public:
  // Unavailable when the address is taken.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(const HostPort& listen,
                                                              std::shared_ptr<prometheus::Registry> registry);
  ~MetricsServer();
  HostPort address() const { return address_; }                // the port really bound
  void Add(std::shared_ptr<prometheus::Collectable> metrics);  // served too

 private:
  MetricsServer(HostPort address, std::unique_ptr<prometheus::Exposer> exposer);

  HostPort address_;
  std::vector<std::shared_ptr<prometheus::Collectable>> added_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace ccr
