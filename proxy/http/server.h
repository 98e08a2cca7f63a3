// What all connections of one worker share.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <random>
#include <string>

#include "absl/time/time.h"
#include "broker/base/clock.h"
#include "proxy/core/descriptors.h"
#include "proxy/core/session_usage.h"
#include "proxy/ports/lease_source.h"
#include "proxy/ports/observer.h"
#include "proxy/request/body_budget.h"
#include "proxy/upstream/client.h"

namespace ccr::proxy {

using IdleHook = boost::intrusive::list_base_hook<boost::intrusive::tag<struct IdleTag>,
                                                  boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
// A connection without a request in progress: no head of one has come whole. Unlinks itself.
class IdleConnection : public IdleHook {
 public:
  virtual void GiveUp() = 0;  // closes it in favour of another
  absl::Time idle_since() const { return idle_since_; }

 protected:
  ~IdleConnection() = default;
  absl::Time idle_since_;
};
using IdleConnections = boost::intrusive::list<IdleConnection, boost::intrusive::base_hook<IdleHook>,
                                               boost::intrusive::constant_time_size<false>>;

// The connections of clients, of all workers.
struct ClientCount {
  std::atomic<int64_t> open{0};
  std::atomic<int64_t> idle{0};  // of them, in some Server::idle
  // When the last one was let in above the cap, because other workers have idle ones; in nanoseconds since 1970.
  std::atomic<int64_t> let_in{INT64_MIN};
};

// Belongs to the worker and outlives its connections; used on its loop only, but for `count` and `bodies`.
struct Server {
  boost::asio::io_context& loop;
  UpstreamClient& upstream;
  LeaseSource& leases;
  RequestObserver& observer;
  const Clock& clock;
  ClientCount& count;  // of all workers, as the next
  BodyBudget& bodies;
  ClientShare clients;
  std::string listen_host;
  std::minstd_rand random;
  bool draining = false;
  // A stream that is silent for so long gets a ping.
  absl::Duration ping_interval = absl::Seconds(15);
  // How long a request waits for the first routing table.
  absl::Duration broker_wait = absl::Seconds(5);
  SessionUsage sessions;
  IdleConnections idle;  // the one that has waited longest first
};

}  // namespace ccr::proxy
