#include "proxy/worker/worker.h"

#include <boost/asio/post.hpp>
#include <random>
#include <utility>

namespace ccr::proxy {

Worker::Worker(WorkerShared& shared)
    : shared_(shared), metrics_(shared.metrics), work_(boost::asio::make_work_guard(loop_)) {}

Worker::~Worker() {
  if (!thread_.joinable()) return;
  loop_.stop();
  thread_.join();
}

void Worker::Start(Acceptor acceptor, const LeaseSourceFactory& make_leases) {
  leases_ = make_leases(loop_);
  upstream_ = std::make_unique<UpstreamClient>(loop_, shared_.upstream);
  server_.reset(new Server{.loop = loop_,
                           .upstream = *upstream_,
                           .leases = *leases_,
                           .observer = metrics_,
                           .clock = shared_.clock,
                           .count = shared_.count,
                           .bodies = shared_.bodies,
                           .clients = shared_.clients,
                           .listen_host = shared_.listen_host,
                           .random = std::minstd_rand(std::random_device()()),
                           .draining = false,
                           .ping_interval = shared_.ping_interval,
                           .broker_wait = shared_.broker_wait,
                           .sessions = SessionUsage(),
                           .idle = {}});
  listener_ = std::make_unique<Listener>(*server_, std::move(acceptor));
  listener_->Start();
  thread_ = std::thread([this] { Run(); });
}

void Worker::Run() {
  loop_.run();
  // What is still open ends here, on its own thread: its reports reach the lease source, which sends them before it
  // ends. Handlers that the loop still holds are never run.
  listener_.reset();
  upstream_.reset();
  leases_.reset();
}

std::future<void> Worker::Drain() {
  boost::asio::post(loop_, [this] { listener_->Drain([this] { drained_.set_value(); }); });
  return drained_.get_future();
}

}  // namespace ccr::proxy
