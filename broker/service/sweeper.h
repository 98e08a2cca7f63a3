// One thread that does what is due, when it is due.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

#include "absl/time/time.h"
#include "broker/base/clock.h"
#include "broker/base/mutex.h"

namespace ccr {

// Sleeps until the earliest moment anybody asked for; after a suspend of the machine it is at most a second late.
// Thread-safe.
class Sweeper {
 public:
  explicit Sweeper(const Clock* clock) : clock_(clock) {}
  ~Sweeper() { Stop(); }

  // `sweep` does what is due and returns when there is more to do. Its first call comes at once.
  void Start(std::function<absl::Time()> sweep);
  // Ends the thread, after a sweep under way.
  void Stop();
  // Sweep at `when` at the latest. Cheap when an earlier sweep is planned.
  void WakeBy(absl::Time when);

 private:
  void Run(const std::function<absl::Time()>& sweep);
  bool SleepUntilDue();

  const Clock* const clock_;
  Mutex mutex_;
  CondVar changed_;
  bool stopping_ CCR_GUARDED_BY(mutex_) = false;
  // Nanoseconds since the epoch; written with mutex_ held, read without. It is reset before a sweep looks at the pools,
  // and pools change before WakeBy reads it: whoever reads an old value is seen by the sweep.
  std::atomic<int64_t> due_{0};
  std::thread thread_;
};

}  // namespace ccr
