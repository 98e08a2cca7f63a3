#include "broker/service/routing.h"

#include <utility>

namespace ccr {

std::shared_ptr<const Routing> RoutingHub::current() const {
  MutexLock lock(mutex_);
  return current_;
}

RoutingHub::Subscription RoutingHub::Follow(Follower follower) {
  MutexLock lock(mutex_);
  // Under the lock, as in Publish: no follower misses a routing, gets one twice, or is called once it has ended.
  if (current_ != nullptr) follower(current_);
  const uint64_t id = next_id_++;
  followers_.emplace(id, std::move(follower));
  return Subscription(this, id);
}

void RoutingHub::Publish(std::shared_ptr<Routing> routing) {
  MutexLock lock(mutex_);
  routing->version = current_ == nullptr ? 1 : current_->version + 1;
  current_ = std::move(routing);
  for (const auto& [id, follower] : followers_) follower(current_);
}

void RoutingHub::Unfollow(uint64_t id) {
  MutexLock lock(mutex_);
  followers_.erase(id);
}

}  // namespace ccr
