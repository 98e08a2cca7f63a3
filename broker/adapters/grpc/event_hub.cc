#include "broker/adapters/grpc/event_hub.h"

#include <algorithm>

namespace ccr {

void EventHub::Add(EventSink* sink) {
  MutexLock lock(mutex_);
  sinks_.push_back(sink);
  size_ = sinks_.size();
}

void EventHub::Remove(EventSink* sink) {
  MutexLock lock(mutex_);
  sinks_.erase(std::remove(sinks_.begin(), sinks_.end(), sink), sinks_.end());
  size_ = sinks_.size();
}

void EventHub::OnTransitions(const std::shared_ptr<const PoolNames>& pool, absl::Span<const core::Transition> batch) {
  if (size_.load(std::memory_order_relaxed) == 0) return;
  MutexLock lock(mutex_);
  for (EventSink* sink : sinks_) sink->OnTransitions(pool, batch);
}

void EventHub::OnPoolAdded(const std::shared_ptr<const PoolNames>& pool) {
  MutexLock lock(mutex_);
  for (EventSink* sink : sinks_) sink->OnPool(pool, true);
}

void EventHub::OnPoolRemoved(const std::shared_ptr<const PoolNames>& pool) {
  MutexLock lock(mutex_);
  for (EventSink* sink : sinks_) sink->OnPool(pool, false);
}

}  // namespace ccr
