// A registry that also tells, at every scrape, how things stand.
#pragma once

#include <atomic>
#include <vector>

#include "broker/service/broker_service.h"
#include "prometheus/metric_family.h"
#include "prometheus/registry.h"

namespace ccr {

// The registered metrics, and after them gauges of pools and keys made from the service's snapshots. Thread-safe.
class StateRegistry final : public prometheus::Registry {
 public:
  // Watch() may come later; until then there are no gauges. The service outlives the scrapes.
  void Watch(BrokerService* service) { service_ = service; }
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  std::atomic<BrokerService*> service_{nullptr};
};

}  // namespace ccr
