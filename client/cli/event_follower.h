// Follows the broker's events from a thread of its own.
#pragma once

#include <grpcpp/client_context.h>

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "broker/base/mutex.h"
#include "ccr/broker/v1/key_admin.grpc.pb.h"

namespace ccr::cli {

// Keeps one WatchEvents call open and opens it again a second after it ended, until destroyed. Events that nobody takes
// are dropped beyond the latest 10,000. Thread-safe.
class EventFollower {
 public:
  // `pool` empty: of all pools.
  EventFollower(const std::shared_ptr<grpc::Channel>& channel, const std::string& pool);
  ~EventFollower();
  EventFollower(const EventFollower&) = delete;
  EventFollower& operator=(const EventFollower&) = delete;

  // Readable while there are events to take.
  int fd() const { return wake_; }
  std::vector<broker::v1::Event> Take() CCR_EXCLUDES(mutex_);

 private:
  void Run() CCR_EXCLUDES(mutex_);
  void Follow() CCR_EXCLUDES(mutex_);
  void Push(const broker::v1::Event& event) CCR_EXCLUDES(mutex_);

  const std::unique_ptr<broker::v1::KeyAdmin::Stub> stub_;
  const std::string pool_;
  const int wake_;  // eventfd
  Mutex mutex_;
  CondVar changed_;
  bool ended_ CCR_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* call_ CCR_GUARDED_BY(mutex_) = nullptr;  // the open one
  std::deque<broker::v1::Event> events_ CCR_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace ccr::cli
