// One event loop on its own thread: listener, connections to providers, leases.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "broker/base/clock.h"
#include "proxy/http/listener.h"
#include "proxy/http/server.h"
#include "proxy/ports/lease_source.h"
#include "proxy/upstream/client.h"
#include "proxy/worker/proxy_metrics.h"

namespace ccr::proxy {

// Makes the lease source of one worker, which uses it on `loop` only. The source is destroyed on the loop's thread,
// when the loop no longer runs.
using LeaseSourceFactory = std::function<std::unique_ptr<LeaseSource>(boost::asio::io_context& loop)>;

// What the workers of a process share. Outlives them.
struct WorkerShared {
  ProxyMetrics& metrics;
  const Clock& clock;
  std::string listen_host;
  UpstreamClient::Options upstream;
  ClientCount count;
  BodyBudget bodies;
  ClientShare clients;
  absl::Duration ping_interval = absl::Seconds(15);  // see Server
  absl::Duration broker_wait = absl::Seconds(5);     // see Server
};

// A session begins and ends on one worker. Methods are called from the thread that made the worker.
class Worker {
 public:
  explicit Worker(WorkerShared& shared);
  ~Worker();  // ends at once what still runs
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  boost::asio::io_context& loop() { return loop_; }
  void Start(Acceptor acceptor, const LeaseSourceFactory& make_leases);
  // Takes no new work; the future is ready when the last connection has ended.
  std::future<void> Drain();

 private:
  void Run();

  WorkerShared& shared_;
  WorkerMetrics metrics_;
  std::unique_ptr<Server> server_;  // outlives the handlers that the loop holds
  boost::asio::io_context loop_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::unique_ptr<LeaseSource> leases_;
  std::unique_ptr<UpstreamClient> upstream_;
  std::unique_ptr<Listener> listener_;
  std::promise<void> drained_;
  std::thread thread_;
};

}  // namespace ccr::proxy
