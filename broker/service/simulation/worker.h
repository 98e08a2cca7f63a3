// A thread for work that takes long, one piece at a time.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "broker/base/mutex.h"

namespace ccr::simulation {

// Thread-safe.
class Worker {
 public:
  using Stop = std::function<bool()>;                       // true: the work should end
  using Work = std::function<std::function<void()>(Stop)>;  // returns what is called once another may start

  ~Worker() { End(); }

  // False when other work is under way, and after End().
  bool Start(Work work);
  // Ends the work under way early, and waits for it.
  void End();

 private:
  std::atomic<bool> stopping_{false};
  std::atomic<bool> busy_{false};
  Mutex mutex_;
  std::thread thread_ CCR_GUARDED_BY(mutex_);
};

}  // namespace ccr::simulation
