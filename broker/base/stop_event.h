// Tells threads that wait in poll() to end.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "broker/base/file_descriptor.h"

namespace ccr {

// Set once, for good. Thread-safe.
class StopEvent {
 public:
  StopEvent() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  void Set() {
    const uint64_t one = 1;
    set_ = true;
    [[maybe_unused]] const ssize_t written = write(event_.get(), &one, sizeof(one));
  }
  bool is_set() const { return set_; }
  // Readable from Set() on; nobody reads it.
  int fd() const { return event_.get(); }

 private:
  const FileDescriptor event_;
  std::atomic<bool> set_ = false;
};

}  // namespace ccr
