// What proxies need to know of the configuration, and how they hear of changes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "broker/base/mutex.h"
#include "broker/config/config.h"

namespace ccr {

// Immutable. `config` holds no secret: keys and the client token were taken out.
struct Routing {
  uint64_t version = 0;  // rises with every change
  Config config;
  std::string client_token_sha256;  // 32 bytes, or empty when no token is set
};

// The present routing and those who follow it. Thread-safe.
class RoutingHub {
 public:
  using Follower = std::function<void(std::shared_ptr<const Routing>)>;

  // Ends the following when it goes; afterwards the follower is not called any more.
  class Subscription {
   public:
    Subscription() = default;
    Subscription(RoutingHub* hub, uint64_t id) : hub_(hub), id_(id) {}
    Subscription(Subscription&& other) noexcept { *this = std::move(other); }
    Subscription& operator=(Subscription&& other) noexcept {
      std::swap(hub_, other.hub_);
      std::swap(id_, other.id_);
      return *this;
    }
    ~Subscription() {
      if (hub_ != nullptr) hub_->Unfollow(id_);
    }

   private:
    RoutingHub* hub_ = nullptr;
    uint64_t id_ = 0;
  };

  std::shared_ptr<const Routing> current() const;  // null before the first Publish
  // Calls `follower` with the present routing at once and with every later one, one call at a time and in order. It
  // must not block and not call back into the hub.
  [[nodiscard]] Subscription Follow(Follower follower);
  void Publish(std::shared_ptr<Routing> routing);  // sets its version

 private:
  void Unfollow(uint64_t id);

  mutable Mutex mutex_;
  std::shared_ptr<const Routing> current_ CCR_GUARDED_BY(mutex_);
  absl::flat_hash_map<uint64_t, Follower> followers_ CCR_GUARDED_BY(mutex_);
  uint64_t next_id_ CCR_GUARDED_BY(mutex_) = 1;
};

}  // namespace ccr
