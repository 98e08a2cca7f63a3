// Follows the routing table.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "broker/base/mutex.h"
#include "ccr/broker/v1/key_broker.grpc.pb.h"

namespace ccr::client {

namespace v1 = ::ccr::broker::v1;

// Calls `on_table` with each table the broker sends, from a thread of its own, and connects again whenever the stream
// breaks. One per process is enough.
class RoutingWatch {
 public:
  using Hook = std::function<void(v1::RoutingTable)>;

  RoutingWatch(const std::shared_ptr<grpc::Channel>& channel, std::string client, Hook on_table);
  ~RoutingWatch();  // the hook is not running afterwards; must not be called from it

 private:
  void Run();
  void WatchOnce();
  bool WaitToRetry();  // false when stopping

  const std::unique_ptr<v1::KeyBroker::Stub> stub_;
  const std::string client_;
  const Hook on_table_;
  Mutex mutex_;
  CondVar stopped_;
  bool stopping_ CCR_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* context_ CCR_GUARDED_BY(mutex_) = nullptr;  // of the stream that is open
  std::thread thread_;
};

}  // namespace ccr::client
