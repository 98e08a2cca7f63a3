// One open LeaseStream RPC: moves messages between gRPC's threads and the loop. LeaseStream makes a new one for each
// try.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "broker/base/mutex.h"
#include "ccr/broker/v1/key_broker.grpc.pb.h"

namespace ccr::client {

namespace v1 = ::ccr::broker::v1;

// The way to the loop's thread, which can be closed. Thread-safe.
class LoopGate {
 public:
  using Task = std::function<void()>;

  explicit LoopGate(std::function<void(Task)> executor) : executor_(std::move(executor)) {}
  void Post(Task task);
  void Close();  // afterwards Post drops what it gets, and the executor is not touched any more

 private:
  Mutex mutex_;
  std::function<void(Task)> executor_ CCR_GUARDED_BY(mutex_);  // empty when closed
};

// Runs a task on the loop once, after a delay. Setting it again replaces what was set; a task already posted still
// runs.
class LoopTimer {
 public:
  void Set(absl::Duration delay, std::shared_ptr<LoopGate> gate, LoopGate::Task task);

 private:
  std::unique_ptr<grpc::Alarm> alarm_;
};

class LeaseConnection final : public grpc::ClientBidiReactor<v1::LeaseStreamRequest, v1::LeaseStreamResponse>,
                              public std::enable_shared_from_this<LeaseConnection> {
 public:
  // Both run on the loop, in the order in which things happened; `on_end` last and once.
  using OnMessages = std::function<void(std::vector<v1::LeaseStreamResponse>)>;
  using OnEnd = std::function<void()>;

  // Opens the stream, waiting for the channel to be ready, and sends `hello`.
  static std::shared_ptr<LeaseConnection> Open(v1::KeyBroker::Stub& stub, std::shared_ptr<LoopGate> gate,
                                               v1::LeaseStreamRequest hello, OnMessages on_messages, OnEnd on_end);

  // Takes the operations out of `message` and sends them as soon as no write is under way. Lost when the stream has
  // ended.
  void Send(v1::LeaseStreamRequest& message);
  void Finish();  // half-close after what is queued
  void Cancel();
  bool WaitUntilDone(absl::Duration bound);  // false when the bound has passed first
  // After the end: returns when gRPC's thread has let go of the connection, which it does at once. Who waits for it
  // stays an owner meanwhile, so that the channel never ends on one of its own threads.
  void WaitUntilLetGo() const;

 private:
  enum class Step { kNone, kWrite, kWritesDone, kRelease };

  LeaseConnection(std::shared_ptr<LoopGate> gate, OnMessages on_messages, OnEnd on_end);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnWritesDoneDone(bool ok) override { OnWriteDone(ok); }
  void OnDone(const grpc::Status& status) override;

  Step Next() CCR_REQUIRES(mutex_);
  void Perform(Step step);
  void Deliver();  // on the loop

  const std::shared_ptr<LoopGate> gate_;
  const OnMessages on_messages_;
  const OnEnd on_end_;
  grpc::ClientContext context_;
  std::shared_ptr<LeaseConnection> self_;  // until OnDone
  const std::shared_ptr<std::atomic<bool>> let_go_ = std::make_shared<std::atomic<bool>>(false);
  v1::LeaseStreamResponse incoming_;  // gRPC reads into it
  v1::LeaseStreamRequest outgoing_;   // gRPC writes from it while writing_

  Mutex mutex_;
  CondVar done_changed_;
  v1::LeaseStreamRequest queued_ CCR_GUARDED_BY(mutex_);
  std::vector<v1::LeaseStreamResponse> inbox_ CCR_GUARDED_BY(mutex_);  // not empty = Deliver is posted
  bool writing_ CCR_GUARDED_BY(mutex_) = false;
  bool finishing_ CCR_GUARDED_BY(mutex_) = false;
  bool half_closed_ CCR_GUARDED_BY(mutex_) = false;
  bool broken_ CCR_GUARDED_BY(mutex_) = false;    // nothing can be read any more
  bool released_ CCR_GUARDED_BY(mutex_) = false;  // our hold on the RPC is given up; OnDone follows
  bool done_ CCR_GUARDED_BY(mutex_) = false;
};

}  // namespace ccr::client
