// Work that may wait for a disk, done one after another on a thread of its own, where nobody's answers are made.
#pragma once

#include <deque>
#include <functional>
#include <thread>

#include "broker/base/mutex.h"

namespace ccr {

// Thread-safe.
class WorkQueue {
 public:
  explicit WorkQueue(size_t most);
  // Does what was taken, and ends.
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // False, and not taken, when so many wait already.
  bool Take(std::function<void()> work);

 private:
  void Run();

  const size_t most_;
  Mutex mutex_;
  CondVar wake_;
  std::deque<std::function<void()>> waiting_ CCR_GUARDED_BY(mutex_);
  bool stopping_ CCR_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // the last: it runs as soon as it is made
};

}  // namespace ccr
