// The server's streams that only send: routing tables and events.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <string>

#include "broker/adapters/grpc/access.h"
#include "broker/adapters/grpc/event_hub.h"
#include "broker/base/mutex.h"
#include "broker/service/broker_service.h"
#include "ccr/broker/v1/key_admin.grpc.pb.h"
#include "ccr/broker/v1/key_broker.grpc.pb.h"

namespace ccr {

// How many watches of a kind there may be at once. Thread-safe; outlives its slots.
class WatchSlots {
 public:
  struct GiveBack {
    void operator()(WatchSlots* slots) const { ++slots->free_; }
  };
  using Slot = std::unique_ptr<WatchSlots, GiveBack>;

  explicit WatchSlots(int most) : free_(most) {}
  Slot Take();  // null when all are taken

 private:
  std::atomic<int> free_;
};

// Both watches are called with the lock of their hub held, which is taken before their own, and must not call the hub
// but from OnDone. They hold their own in StartWrite and Finish: gRPC runs no reaction from inside these.

// Sends the routing table, what of it is the caller's, and every later one; a client that is slow skips to the latest.
// Deletes itself.
class RoutingWatch final : public grpc::ServerWriteReactor<ccr::broker::v1::RoutingTable> {
 public:
  RoutingWatch(WatchSlots::Slot slot, RoutingHub* hub, std::shared_ptr<const Caller> caller);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void Push(std::shared_ptr<const Routing> routing);
  void MaybeWrite() CCR_REQUIRES(mutex_);
  void Close() CCR_REQUIRES(mutex_);

  const WatchSlots::Slot slot_;
  const std::shared_ptr<const Caller> caller_;
  Mutex mutex_;
  std::shared_ptr<const Routing> latest_ CCR_GUARDED_BY(mutex_);
  ccr::broker::v1::RoutingTable table_ CCR_GUARDED_BY(mutex_);
  bool writing_ CCR_GUARDED_BY(mutex_) = false;
  bool closed_ CCR_GUARDED_BY(mutex_) = false;
  RoutingHub::Subscription subscription_;  // the last: once it has ended, nobody calls Push
};

// Sends events, one a message. At most kMaxQueued of kMaxQueuedBytes together wait; then the oldest are dropped and
// EVENTS_DROPPED counts them.
// Deletes itself.
class EventWatch final : public grpc::ServerWriteReactor<ccr::broker::v1::Event>, private EventSink {
 public:
  static constexpr size_t kMaxQueued = 4096;
  static constexpr size_t kMaxQueuedBytes = 1024 * 1024;

  EventWatch(WatchSlots::Slot slot, const ccr::broker::v1::WatchEventsRequest& request, EventHub* hub);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void OnTransitions(const std::shared_ptr<const PoolNames>& pool, absl::Span<const core::Transition> batch) override;
  void OnPool(const std::shared_ptr<const PoolNames>& pool, bool added) override;
  bool Watches(const PoolNames& pool) const;
  void Push(ccr::broker::v1::Event event) CCR_REQUIRES(mutex_);
  ccr::broker::v1::Event Pop() CCR_REQUIRES(mutex_);
  void MaybeWrite() CCR_REQUIRES(mutex_);
  void Close() CCR_REQUIRES(mutex_);

  const WatchSlots::Slot slot_;
  const std::string pool_;  // empty = all
  const bool include_leases_;
  EventHub* const hub_;
  Mutex mutex_;
  std::deque<ccr::broker::v1::Event> queue_ CCR_GUARDED_BY(mutex_);
  size_t queued_bytes_ CCR_GUARDED_BY(mutex_) = 0;  // of queue_, serialized
  uint64_t dropped_ CCR_GUARDED_BY(mutex_) = 0;
  ccr::broker::v1::Event event_ CCR_GUARDED_BY(mutex_);
  bool writing_ CCR_GUARDED_BY(mutex_) = false;
  bool closed_ CCR_GUARDED_BY(mutex_) = false;
};

}  // namespace ccr
