// What all connections of one worker share.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <random>
#include <string>

#include "absl/time/time.h"
#include "broker/base/clock.h"
#include "proxy/core/session_usage.h"
#include "proxy/http/lease_source.h"
#include "proxy/http/observer.h"
#include "proxy/upstream/client.h"

namespace ccr::proxy {

// Belongs to the worker and outlives its connections; used on its loop only, but for `open_connections`.
struct Server {
  boost::asio::io_context& loop;
  UpstreamClient& upstream;
  LeaseSource& leases;
  RequestObserver& observer;
  const Clock& clock;
  std::atomic<int64_t>& open_connections;  // of all workers
  std::string listen_host;
  std::minstd_rand random;
  bool draining = false;
  // A stream that is silent for so long gets a ping.
  absl::Duration ping_interval = absl::Seconds(15);
  // How long a request waits for the first routing table.
  absl::Duration broker_wait = absl::Seconds(5);
  SessionUsage sessions;
};

}  // namespace ccr::proxy
