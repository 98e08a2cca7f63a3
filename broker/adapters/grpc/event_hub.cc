#include "broker/adapters/grpc/event_hub.h"

#include <algorithm>
#include <utility>

#include "broker/adapters/grpc/convert.h"

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
  Remember(pool, batch);
  if (size_.load(std::memory_order_relaxed) == 0) return;
  MutexLock lock(mutex_);
  for (EventSink* sink : sinks_) sink->OnTransitions(pool, batch);
}

void EventHub::Remember(const std::shared_ptr<const PoolNames>& pool, absl::Span<const core::Transition> batch) {
  for (const core::Transition& transition : batch) {
    auto event =
        std::make_shared<v1::Event>();  // not the pool's names themselves: they keep the keys of their time alive
    if (transition.key == core::kNoKey || !Fill(*pool, transition, /*include_leases=*/false, event.get())) continue;
    MutexLock lock(past_mutex_);
    past_.push_back(std::move(event));
    if (past_.size() > kMaxPast) past_.pop_front();
  }
}

std::vector<std::shared_ptr<const v1::Event>> EventHub::History(std::string_view pool, std::string_view fingerprint,
                                                                size_t most) const {
  std::vector<std::shared_ptr<const v1::Event>> found;
  MutexLock lock(past_mutex_);
  for (auto past = past_.rbegin(); past != past_.rend() && found.size() < most; ++past) {
    if ((*past)->pool() == pool && (*past)->key_fingerprint() == fingerprint) found.push_back(*past);
  }
  std::reverse(found.begin(), found.end());
  return found;
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
