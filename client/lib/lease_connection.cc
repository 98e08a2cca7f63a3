#include "client/lib/lease_connection.h"

#include <grpc/support/time.h>

#include <chrono>
#include <thread>
#include <utility>

namespace ccr::client {
namespace {

void MoveOperations(v1::LeaseStreamRequest& from, v1::LeaseStreamRequest& to) {
  if (to.operations().empty()) {
    to.mutable_operations()->Swap(from.mutable_operations());
    return;
  }
  for (auto& operation : *from.mutable_operations()) to.add_operations()->Swap(&operation);
  from.mutable_operations()->Clear();
}

}  // namespace

void LoopGate::Post(Task task) {
  MutexLock lock(mutex_);
  if (executor_) executor_(std::move(task));
}

void LoopGate::Close() {
  MutexLock lock(mutex_);
  executor_ = nullptr;
}

void LoopTimer::Set(absl::Duration delay, std::shared_ptr<LoopGate> gate, LoopGate::Task task) {
  const gpr_timespec deadline =
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_micros(absl::ToInt64Microseconds(delay), GPR_TIMESPAN));
  alarm_ = std::make_unique<grpc::Alarm>();
  alarm_->Set(deadline, [gate = std::move(gate), task = std::move(task)](bool fired) {
    if (fired) gate->Post(task);
  });
}

std::shared_ptr<LeaseConnection> LeaseConnection::Open(v1::KeyBroker::Stub& stub, std::shared_ptr<LoopGate> gate,
                                                       v1::LeaseStreamRequest hello, OnMessages on_messages,
                                                       OnEnd on_end) {
  std::shared_ptr<LeaseConnection> connection(
      new LeaseConnection(std::move(gate), std::move(on_messages), std::move(on_end)));
  connection->outgoing_ = std::move(hello);
  connection->stream_ = stub.PrepareAsyncLeaseStream(&connection->context_, &connection->queue_);
  connection->stream_->StartCall(Tag(Event::kStarted));
  std::thread([connection]() mutable {
    connection->Run();
    const auto let_go = connection->let_go_;
    connection.reset();
    let_go->store(true);
  }).detach();
  return connection;
}

LeaseConnection::LeaseConnection(std::shared_ptr<LoopGate> gate, OnMessages on_messages, OnEnd on_end)
    : gate_(std::move(gate)), on_messages_(std::move(on_messages)), on_end_(std::move(on_end)), writing_(true) {
  context_.set_wait_for_ready(true);
}

void LeaseConnection::Send(v1::LeaseStreamRequest& message) {
  Step step = Step::kNone;
  {
    MutexLock lock(mutex_);
    MoveOperations(message, queued_);
    if (!writing_) step = Next();
  }
  Perform(step);
}

void LeaseConnection::Finish() {
  Step step = Step::kNone;
  {
    MutexLock lock(mutex_);
    finishing_ = true;
    if (!writing_) step = Next();
  }
  Perform(step);
}

void LeaseConnection::Cancel() {
  context_.TryCancel();
}

bool LeaseConnection::WaitUntilDone(absl::Duration bound) {
  const auto until = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(bound);
  MutexLock lock(mutex_);
  while (!done_ && done_changed_.wait_until(mutex_, until) != std::cv_status::timeout) {
  }
  return done_;
}

void LeaseConnection::Run() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
    switch (static_cast<Event>(reinterpret_cast<intptr_t>(tag))) {
      case Event::kStarted:
        OnStarted(ok);
        break;
      case Event::kRead:
        OnRead(ok);
        break;
      case Event::kWritten:
        OnWritten();
        break;
      case Event::kFinished:
        OnFinished();
        break;
    }
  }
}

void LeaseConnection::OnStarted(bool ok) {
  if (ok) {
    stream_->Read(&incoming_, Tag(Event::kRead));
    return stream_->Write(outgoing_, Tag(Event::kWritten));
  }
  {
    MutexLock lock(mutex_);
    broken_ = true;
  }
  OnWritten();
}

void LeaseConnection::OnRead(bool ok) {
  bool deliver = false;
  Step step = Step::kNone;
  {
    MutexLock lock(mutex_);
    if (ok) {
      deliver = inbox_.empty();
      inbox_.push_back(std::exchange(incoming_, {}));
    } else {
      broken_ = true;
      if (!writing_) step = Next();
    }
  }
  if (deliver) gate_->Post([self = shared_from_this()] { self->Deliver(); });
  if (ok) stream_->Read(&incoming_, Tag(Event::kRead));
  Perform(step);
}

void LeaseConnection::OnWritten() {
  Step step = Step::kNone;
  {
    MutexLock lock(mutex_);
    writing_ = false;
    outgoing_.Clear();
    step = Next();
  }
  Perform(step);
}

void LeaseConnection::OnFinished() {
  gate_->Post([self = shared_from_this()] { self->on_end_(); });
  {
    MutexLock lock(mutex_);
    done_ = true;
  }
  done_changed_.notify_all();
  queue_.Shutdown();
}

void LeaseConnection::WaitUntilLetGo() const {
  while (!let_go_->load()) std::this_thread::yield();
}

LeaseConnection::Step LeaseConnection::Next() {
  if (broken_) return std::exchange(ended_, true) ? Step::kNone : Step::kFinish;
  if (half_closed_) return Step::kNone;
  if (!queued_.operations().empty()) {
    writing_ = true;
    outgoing_.Swap(&queued_);
    return Step::kWrite;
  }
  if (!finishing_) return Step::kNone;
  writing_ = half_closed_ = true;
  return Step::kWritesDone;
}

void LeaseConnection::Perform(Step step) {
  switch (step) {
    case Step::kNone:
      break;
    case Step::kWrite:
      stream_->Write(outgoing_, Tag(Event::kWritten));
      break;
    case Step::kWritesDone:
      stream_->WritesDone(Tag(Event::kWritten));
      break;
    case Step::kFinish:
      stream_->Finish(&status_, Tag(Event::kFinished));
      break;
  }
}

void LeaseConnection::Deliver() {
  std::vector<v1::LeaseStreamResponse> messages;
  {
    MutexLock lock(mutex_);
    messages.swap(inbox_);
  }
  on_messages_(std::move(messages));
}

}  // namespace ccr::client
