#include "proxy/worker/worker_pool.h"

#include <chrono>
#include <future>
#include <utility>

namespace ccr::proxy {

absl::StatusOr<std::unique_ptr<WorkerPool>> WorkerPool::Start(const HostPort& address, size_t count,
                                                              WorkerShared& shared,
                                                              const LeaseSourceFactory& make_leases) {
  std::unique_ptr<WorkerPool> pool(new WorkerPool());
  std::vector<boost::asio::io_context*> loops;
  for (size_t i = 0; i < count; ++i)
    loops.push_back(&pool->workers_.emplace_back(std::make_unique<Worker>(shared))->loop());
  absl::StatusOr<std::vector<Acceptor>> acceptors = Listen(address, loops);
  if (!acceptors.ok()) return acceptors.status();
  pool->address_ = BoundAddress(acceptors->front());
  for (size_t i = 0; i < count; ++i) pool->workers_[i]->Start(std::move((*acceptors)[i]), make_leases);
  return pool;
}

bool WorkerPool::Drain(absl::Duration bound) {
  const auto deadline = std::chrono::steady_clock::now() + absl::ToChronoMilliseconds(bound);
  std::vector<std::future<void>> drains;
  for (const auto& worker : workers_) drains.push_back(worker->Drain());
  bool drained = true;
  for (const auto& drain : drains) drained &= drain.wait_until(deadline) == std::future_status::ready;
  return drained;
}

}  // namespace ccr::proxy
