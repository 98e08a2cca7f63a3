// One open LeaseStream RPC: moves messages between gRPC and the loop. LeaseStream makes a new one for each try.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/async_stream.h>

#include <atomic>
#include <cstdint>
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

// Has a completion queue and a thread of its own: gRPC's callbacks would cost a hand-over between its threads for every
// message. Thread-safe.
class LeaseConnection final : public std::enable_shared_from_this<LeaseConnection> {
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
  // After the end: returns when the thread has let go of the connection, which it does at once.
  void WaitUntilLetGo() const;

 private:
  enum class Step { kNone, kWrite, kWritesDone, kFinish };
  enum class Event : intptr_t { kStarted = 1, kRead, kWritten, kFinished };

  LeaseConnection(std::shared_ptr<LoopGate> gate, OnMessages on_messages, OnEnd on_end);

  static void* Tag(Event event) { return reinterpret_cast<void*>(event); }

  void Run();  // the thread
  void OnStarted(bool ok);
  void OnRead(bool ok);
  void OnWritten();
  void OnFinished();

  Step Next() CCR_REQUIRES(mutex_);
  void Perform(Step step);
  void Deliver();  // on the loop

  const std::shared_ptr<LoopGate> gate_;
  const OnMessages on_messages_;
  const OnEnd on_end_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::LeaseStreamRequest, v1::LeaseStreamResponse>> stream_;
  grpc::Status status_;  // gRPC writes into it
  const std::shared_ptr<std::atomic<bool>> let_go_ = std::make_shared<std::atomic<bool>>(false);
  v1::LeaseStreamResponse incoming_;  // gRPC reads into it
  v1::LeaseStreamRequest outgoing_;   // gRPC writes from it while writing_

  Mutex mutex_;
  CondVar done_changed_;
  v1::LeaseStreamRequest queued_ CCR_GUARDED_BY(mutex_);
  std::vector<v1::LeaseStreamResponse> inbox_ CCR_GUARDED_BY(mutex_);  // not empty = Deliver is posted
  bool writing_ CCR_GUARDED_BY(mutex_) = false;                        // or starting
  bool finishing_ CCR_GUARDED_BY(mutex_) = false;
  bool half_closed_ CCR_GUARDED_BY(mutex_) = false;
  bool broken_ CCR_GUARDED_BY(mutex_) = false;  // nothing can be read any more
  bool ended_ CCR_GUARDED_BY(mutex_) = false;   // the RPC is being finished
  bool done_ CCR_GUARDED_BY(mutex_) = false;
};

}  // namespace ccr::client
