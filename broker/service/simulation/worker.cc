#include "broker/service/simulation/worker.h"

#include <utility>

namespace ccr::simulation {

bool Worker::Start(Work work) {
  MutexLock lock(mutex_);
  if (stopping_ || busy_) return false;
  if (thread_.joinable()) thread_.join();
  busy_ = true;
  thread_ = std::thread([this, work = std::move(work)] {
    const std::function<void()> done = work([this] { return stopping_.load(std::memory_order_relaxed); });
    busy_ = false;
    done();
  });
  return true;
}

void Worker::End() {
  stopping_ = true;
  MutexLock lock(mutex_);
  if (thread_.joinable()) thread_.join();
}

}  // namespace ccr::simulation
