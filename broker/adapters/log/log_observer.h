// What happens to keys, as structured log lines.
#pragma once

#include <memory>

#include "broker/ports/observer.h"

namespace ccr {

// Single leases and successes at debug, failures and what follows from them at warn, returns at info. Keys appear by
// name and fingerprint.
class LogObserver final : public Observer {
 public:
  void OnTransitions(const std::shared_ptr<const PoolNames>& pool, absl::Span<const core::Transition> batch) override;
  void OnPoolAdded(const std::shared_ptr<const PoolNames>& pool) override;
  void OnPoolRemoved(const std::shared_ptr<const PoolNames>& pool) override;
};

}  // namespace ccr
