#include "broker/adapters/grpc/watches.h"

#include <utility>

#include "absl/strings/match.h"
#include "broker/adapters/grpc/convert.h"
#include "broker/adapters/grpc/scope.h"

namespace ccr {

WatchSlots::Slot WatchSlots::Take() {
  int free = free_;
  while (free > 0) {
    if (free_.compare_exchange_weak(free, free - 1)) return Slot(this);
  }
  return nullptr;
}

RoutingWatch::RoutingWatch(WatchSlots::Slot slot, RoutingHub* hub, std::shared_ptr<const Caller> caller)
    : slot_(std::move(slot)), caller_(std::move(caller)) {
  subscription_ = hub->Follow([this](std::shared_ptr<const Routing> routing) { Push(std::move(routing)); });
}

void RoutingWatch::Push(std::shared_ptr<const Routing> routing) {
  MutexLock lock(mutex_);
  latest_ = std::move(routing);
  MaybeWrite();
}

void RoutingWatch::MaybeWrite() {
  if (closed_ || writing_ || latest_ == nullptr) return;
  writing_ = true;
  table_.Clear();
  Fill(*std::exchange(latest_, nullptr), &table_);
  Narrow(*caller_, &table_);
  StartWrite(&table_);
}

void RoutingWatch::OnWriteDone(bool ok) {
  MutexLock lock(mutex_);
  writing_ = false;
  if (closed_) return Finish(grpc::Status::CANCELLED);
  if (!ok) return Close();
  MaybeWrite();
}

void RoutingWatch::OnCancel() {
  MutexLock lock(mutex_);
  Close();
}

void RoutingWatch::Close() {
  if (closed_) return;
  closed_ = true;
  if (!writing_) Finish(grpc::Status::CANCELLED);
}

void RoutingWatch::OnDone() {
  delete this;
}

EventWatch::EventWatch(WatchSlots::Slot slot, const v1::WatchEventsRequest& request, EventHub* hub)
    : slot_(std::move(slot)), pool_(request.pool()), include_leases_(request.include_leases()), hub_(hub) {
  StartSendInitialMetadata();
  hub_->Add(this);
}

bool EventWatch::Watches(const PoolNames& pool) const {
  return pool_.empty() || absl::EqualsIgnoreCase(pool_, pool.pool);
}

void EventWatch::OnTransitions(const std::shared_ptr<const PoolNames>& pool, absl::Span<const core::Transition> batch) {
  if (!Watches(*pool)) return;
  MutexLock lock(mutex_);
  for (const core::Transition& transition : batch) {
    v1::Event event;
    if (Fill(*pool, transition, include_leases_, &event)) Push(std::move(event));
  }
  MaybeWrite();
}

void EventWatch::OnPool(const std::shared_ptr<const PoolNames>& pool, bool added) {
  if (!Watches(*pool)) return;
  v1::Event event;
  event.set_type(added ? v1::Event::POOL_REGISTERED : v1::Event::POOL_REMOVED);
  SetTime(absl::Now(), event.mutable_time());
  event.set_pool(pool->pool);
  MutexLock lock(mutex_);
  Push(std::move(event));
  MaybeWrite();
}

void EventWatch::Push(v1::Event event) {
  queued_bytes_ += event.ByteSizeLong();
  queue_.push_back(std::move(event));
  while (queue_.size() > kMaxQueued || queued_bytes_ > kMaxQueuedBytes) {
    Pop();
    ++dropped_;
  }
}

v1::Event EventWatch::Pop() {
  v1::Event event = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= event.ByteSizeLong();
  return event;
}

void EventWatch::MaybeWrite() {
  if (closed_ || writing_ || (queue_.empty() && dropped_ == 0)) return;
  writing_ = true;
  if (dropped_ > 0) {
    event_.Clear();
    event_.set_type(v1::Event::EVENTS_DROPPED);
    if (!queue_.empty()) *event_.mutable_time() = queue_.front().time();
    event_.set_count(std::exchange(dropped_, 0));
  } else {
    event_ = Pop();
  }
  StartWrite(&event_);
}

void EventWatch::OnWriteDone(bool ok) {
  MutexLock lock(mutex_);
  writing_ = false;
  if (closed_) return Finish(grpc::Status::CANCELLED);
  if (!ok) return Close();
  MaybeWrite();
}

void EventWatch::OnCancel() {
  MutexLock lock(mutex_);
  Close();
}

void EventWatch::Close() {
  if (closed_) return;
  closed_ = true;
  if (!writing_) Finish(grpc::Status::CANCELLED);
}

void EventWatch::OnDone() {
  hub_->Remove(this);
  delete this;
}

}  // namespace ccr
