#include "broker/service/sweeper.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace ccr {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
// What a condition waits for stands still while the machine is suspended; the clock does not.
constexpr absl::Duration kLongestSleep = absl::Seconds(1);

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
  while (SleepUntilDue()) {
    const int64_t next = ToNanos(sweep());
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
