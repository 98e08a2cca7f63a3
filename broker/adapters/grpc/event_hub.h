// Events of pools and keys for those who watch them over gRPC.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "broker/base/mutex.h"
#include "broker/ports/observer.h"

namespace ccr::broker::v1 {
class Event;
}

namespace ccr {

// Somebody who watches. Called with the hub's lock held: it must not block and not call the hub.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void OnTransitions(const std::shared_ptr<const PoolNames>& pool,
                             absl::Span<const core::Transition> batch) = 0;
  virtual void OnPool(const std::shared_ptr<const PoolNames>& pool, bool added) = 0;
};

// Passes on what the service tells it, and remembers the last of what is no mere use of a key. Nearly free while nobody
// watches and nothing happens. Thread-safe.
class EventHub final : public Observer {
 public:
  void Add(EventSink* sink);
  void Remove(EventSink* sink);  // afterwards the sink is not called any more

  // The last `most` that happened to that key, the latest last, of the kMaxPast that are remembered.
  std::vector<std::shared_ptr<const broker::v1::Event>> History(std::string_view pool, std::string_view fingerprint,
                                                                size_t most) const;

  void OnTransitions(const std::shared_ptr<const PoolNames>& pool, absl::Span<const core::Transition> batch) override;
  void OnPoolAdded(const std::shared_ptr<const PoolNames>& pool) override;
  void OnPoolRemoved(const std::shared_ptr<const PoolNames>& pool) override;

 private:
  std::atomic<size_t> size_{0};
  static constexpr size_t kMaxPast = 10'000;

  void Remember(const std::shared_ptr<const PoolNames>& pool, absl::Span<const core::Transition> batch);

  Mutex mutex_;
  std::vector<EventSink*> sinks_ CCR_GUARDED_BY(mutex_);
  mutable Mutex past_mutex_;
  std::deque<std::shared_ptr<const broker::v1::Event>> past_ CCR_GUARDED_BY(past_mutex_);
};

}  // namespace ccr
