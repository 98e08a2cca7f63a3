// A registry that also tells, at every scrape, how things stand.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "broker/service/broker_service.h"
#include "prometheus/metric_family.h"
#include "prometheus/registry.h"

namespace ccr {

// The registered metrics, and after them gauges of pools and keys made from the service's snapshots. Thread-safe.
class StateRegistry final : public prometheus::Registry {
 public:
  // Once; it may come later, and until then there are no gauges. The service outlives the scrapes. `failing_sources`, which
  // may be null, counts the sources of keys that fail.
  void Watch(BrokerService* service, std::function<size_t()> failing_sources = nullptr) {
    failing_sources_ = std::move(failing_sources);
    service_ = service;
  }
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  std::function<size_t()> failing_sources_;  // set before service_
  std::atomic<BrokerService*> service_{nullptr};
};

}  // namespace ccr
