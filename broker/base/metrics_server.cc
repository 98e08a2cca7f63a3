#include "broker/base/metrics_server.h"

#include <netdb.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/registry.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>

namespace ccr {
namespace {

// Connects, and leaves it at that.
void Knock(const HostPort& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found) != 0) return;
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0) {
    static_cast<void>(connect(fd, found->ai_addr, found->ai_addrlen));
    close(fd);
  }
  freeaddrinfo(found);
}

}  // namespace

MetricsServer::MetricsServer(HostPort address, std::unique_ptr<prometheus::Exposer> exposer)
    : address_(std::move(address)), exposer_(std::move(exposer)) {}

// civetweb's listener looks at a connection whether it should stop, and else every two seconds only.
MetricsServer::~MetricsServer() {
  std::atomic<bool> stopped{false};
  std::thread knocking([&] {
    for (; !stopped; std::this_thread::sleep_for(std::chrono::milliseconds(10))) Knock(address_);
  });
  exposer_.reset();
  stopped = true;
  knocking.join();
}

void MetricsServer::Add(std::shared_ptr<prometheus::Collectable> metrics) {
  exposer_->RegisterCollectable(metrics);
  added_.push_back(std::move(metrics));
}

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(const HostPort& listen,
                                                                    std::shared_ptr<prometheus::Registry> registry) {
  try {
    auto exposer = std::make_unique<prometheus::Exposer>(listen.ToString(), 1);
    exposer->RegisterCollectable(registry);
    HostPort bound = listen;
    if (const std::vector<int> ports = exposer->GetListeningPorts(); !ports.empty()) {
      bound.port = static_cast<uint16_t>(ports.front());
    }
    return std::unique_ptr<MetricsServer>(new MetricsServer(bound, std::move(exposer)));
  } catch (const std::exception&) {  // civetweb does not say why
    return absl::UnavailableError("cannot listen for metrics on " + listen.ToString() +
                                  ": the port is taken or the address is not of this machine; choose another with "
                                  "--metrics-listen");
  }
}

}  // namespace ccr
