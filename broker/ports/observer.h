// Who wants to know what happens to keys: logs, metrics, watchers.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/types/span.h"
#include "broker/core/lease_result.h"
#include "broker/core/pool_spec.h"
#include "broker/core/report.h"
#include "broker/core/transition.h"

namespace ccr {

// What an observer needs to name the keys of a batch. Immutable; replaced when a pool is reconfigured.
struct PoolNames {
  std::string pool;
  std::vector<core::KeySpec> keys;  // by KeyIndex
};

// Law: called without any lock held, from any thread, but for one pool one call at a time and in the order of events.
// Must not block, must not call back into the service.
class Observer {
 public:
  using Answer = std::variant<core::Refusal::Why, core::Decision>;

  virtual ~Observer() = default;
  virtual void OnTransitions(const std::shared_ptr<const PoolNames>& pool,
                             absl::Span<const core::Transition> batch) = 0;
  virtual void OnPoolAdded(const std::shared_ptr<const PoolNames>& pool) = 0;  // also when a pool was reconfigured
  virtual void OnPoolRemoved(const std::shared_ptr<const PoolNames>& pool) = 0;
  // A caller was refused a lease, or its report was answered. Not ordered with the other calls; several may run at
  // once.
  virtual void OnAnswer(const PoolNames& /*pool*/, const Answer& /*answer*/) {}
};

}  // namespace ccr
