// The /metrics endpoint of a daemon.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/base/address.h"
#include "broker/base/mutex.h"
#include "broker/base/page_server.h"

namespace prometheus {
class Collectable;
class Registry;
}  // namespace prometheus

namespace ccr {

// Serves GET /metrics in the Prometheus text format from its own thread until destroyed, which takes no longer than a
// scrape that is being collected. Thread-safe.
class MetricsServer {
 public:
  // Unavailable when the address is taken.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(const HostPort& listen,
                                                              std::shared_ptr<prometheus::Registry> registry);
  const HostPort& address() const { return server_->address(); }  // the port really bound
  void Add(std::shared_ptr<prometheus::Collectable> metrics);     // served too

 private:
  std::string Render();

  Mutex mutex_;
  std::vector<std::shared_ptr<prometheus::Collectable>> sources_ CCR_GUARDED_BY(mutex_);
  std::unique_ptr<PageServer> server_;  // ends first: its thread calls Render
};

}  // namespace ccr
