// Events of pools and keys for those who watch them over gRPC.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "broker/base/mutex.h"
#include "broker/ports/observer.h"

namespace ccr {

// Somebody who watches. Called with the hub's lock held: it must not block and not call the hub.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void OnTransitions(const std::shared_ptr<const PoolNames>& pool,
                             absl::Span<const core::Transition> batch) = 0;
  virtual void OnPool(const std::shared_ptr<const PoolNames>& pool, bool added) = 0;
};

// Passes on what the service tells it. Nearly free while nobody watches. Thread-safe.
class EventHub final : public Observer {
 public:
  void Add(EventSink* sink);
  void Remove(EventSink* sink);  // afterwards the sink is not called any more

  void OnTransitions(const std::shared_ptr<const PoolNames>& pool, absl::Span<const core::Transition> batch) override;
  void OnPoolAdded(const std::shared_ptr<const PoolNames>& pool) override;
  void OnPoolRemoved(const std::shared_ptr<const PoolNames>& pool) override;

 private:
  std::atomic<size_t> size_{0};
  Mutex mutex_;
  std::vector<EventSink*> sinks_ CCR_GUARDED_BY(mutex_);
};

}  // namespace ccr
