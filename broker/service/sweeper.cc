#include "broker/service/sweeper.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>
#include <utility>

namespace ccr {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
// What a condition waits for stands still while the machine is suspended; the clock does not.
constexpr absl::Duration kLongestSleep = absl::Seconds(1);
constexpr std::chrono::milliseconds kLongestPause(2);

int64_t ToNanos(absl::Time time) {
  return time == absl::InfiniteFuture() ? kNever : absl::ToUnixNanos(time);
}

}  // namespace

void Sweeper::Start(std::function<absl::Time()> sweep) {
  thread_ = std::thread([this, sweep = std::move(sweep)] { Run(sweep); });
}

void Sweeper::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Sweeper::WakeBy(absl::Time when) {
  const int64_t nanos = ToNanos(when);
  if (nanos >= due_.load(std::memory_order_relaxed)) return;
  {
    MutexLock lock(mutex_);
    due_ = std::min(due_.load(), nanos);
  }
  changed_.notify_one();
}

void Sweeper::Run(const std::function<absl::Time()>& sweep) {
  using Steady = std::chrono::steady_clock;
  while (SleepUntilDue()) {
    const Steady::time_point begin = Steady::now();
    const int64_t next = ToNanos(sweep());
    // More is due at once: the pools' locks are left to others for as long, as they are not fair.
    if (next <= ToNanos(clock_->Now()))
      std::this_thread::sleep_for(std::min<Steady::duration>(Steady::now() - begin, kLongestPause));
    MutexLock lock(mutex_);
    due_ = std::min(due_.load(), next);
  }
}

bool Sweeper::SleepUntilDue() {
  MutexLock lock(mutex_);
  while (!stopping_ && due_ > ToNanos(clock_->Now())) {
    const absl::Duration left = std::min(absl::Nanoseconds(due_ - ToNanos(clock_->Now())), kLongestSleep);
    changed_.wait_for(mutex_, absl::ToChronoNanoseconds(left));
  }
  due_ = kNever;
  return !stopping_;
}

}  // namespace ccr
