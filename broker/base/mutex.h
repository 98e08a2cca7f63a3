// An annotated mutex over std::mutex, so that clang's -Wthread-safety checks who holds what.
#pragma once

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define CCR_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define CCR_THREAD_ANNOTATION(x)
#endif
#define CCR_CAPABILITY(x) CCR_THREAD_ANNOTATION(capability(x))
#define CCR_SCOPED_CAPABILITY CCR_THREAD_ANNOTATION(scoped_lockable)
#define CCR_GUARDED_BY(x) CCR_THREAD_ANNOTATION(guarded_by(x))
#define CCR_PT_GUARDED_BY(x) CCR_THREAD_ANNOTATION(pt_guarded_by(x))
#define CCR_REQUIRES(...) CCR_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define CCR_ACQUIRE(...) CCR_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define CCR_RELEASE(...) CCR_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define CCR_EXCLUDES(...) CCR_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))

namespace ccr {

class CCR_CAPABILITY("mutex") Mutex {
 public:
  void lock() CCR_ACQUIRE() { mutex_.lock(); }
  void unlock() CCR_RELEASE() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class CCR_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) CCR_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() CCR_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits with a Mutex held. The caller loops on its condition.
using CondVar = std::condition_variable_any;

}  // namespace ccr
