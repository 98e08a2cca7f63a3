// A scripted broker for tests of the client library, and a loop that the test runs by hand.
#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/base/mutex.h"
#include "ccr/broker/v1/key_admin.grpc.pb.h"
#include "ccr/broker/v1/key_broker.grpc.pb.h"

namespace ccr::client {

// Tasks run on the thread that calls RunUntil.
class TestLoop {
 public:
  void Post(std::function<void()> task) {
    MutexLock lock(mutex_);
    tasks_.push_back(std::move(task));
    ++posted_;
    changed_.notify_all();
  }

  // Runs tasks until `condition` holds; false after a minute.
  bool RunUntil(const std::function<bool()>& condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      if (auto task = Take()) task();
    }
    return true;
  }

  int posted() {
    MutexLock lock(mutex_);
    return posted_;
  }

 private:
  std::function<void()> Take() {
    MutexLock lock(mutex_);
    if (tasks_.empty()) changed_.wait_for(mutex_, std::chrono::milliseconds(2));
    if (tasks_.empty()) return nullptr;
    auto task = std::move(tasks_.front());
    tasks_.pop_front();
    return task;
  }

  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> tasks_ CCR_GUARDED_BY(mutex_);
  int posted_ CCR_GUARDED_BY(mutex_) = 0;
};

// Takes every stream, acknowledges its hello, answers pings, records all else and answers of it only what the test tells
// it to.
class FakeBroker final : public ::ccr::broker::v1::KeyBroker::Service {
 public:
  using Request = ::ccr::broker::v1::LeaseStreamRequest;
  using Response = ::ccr::broker::v1::LeaseStreamResponse;
  using Operation = ::ccr::broker::v1::Operation;

  explicit FakeBroker(const std::string& address = "127.0.0.1:0") {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    address_ = address.starts_with("unix:") ? address : "127.0.0.1:" + std::to_string(port);
  }
  ~FakeBroker() override {
    server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();  // ends the calls, which use what follows
  }

  const std::string& address() const { return address_; }

  // Ids that the next acknowledgement calls lost.
  void Lose(std::string lease_id) {
    MutexLock lock(mutex_);
    lost_.push_back(std::move(lease_id));
  }

  // Messages of all streams, in order.
  std::vector<Request> messages() {
    MutexLock lock(mutex_);
    return messages_;
  }
  std::vector<Operation> operations() {
    MutexLock lock(mutex_);
    std::vector<Operation> all;
    for (const auto& message : messages_)
      all.insert(all.end(), message.operations().begin(), message.operations().end());
    return all;
  }
  int streams() {
    MutexLock lock(mutex_);
    return streams_;
  }
  int half_closed() {
    MutexLock lock(mutex_);
    return half_closed_;
  }

  void Send(const Response& response) {
    MutexLock lock(mutex_);
    stream_->Write(response);
  }
  // Answers pings no more, until GoOn.
  void Hang() {
    MutexLock lock(mutex_);
    hung_ = true;
  }
  void GoOn() {
    MutexLock lock(mutex_);
    hung_ = false;
  }
  void Break() {
    MutexLock lock(mutex_);
    context_->TryCancel();
  }

 private:
  // Takes them out of `request`.
  void AnswerPings(Request& request, grpc::ServerReaderWriter<Response, Request>* stream) CCR_REQUIRES(mutex_) {
    auto& operations = *request.mutable_operations();
    const auto pings = std::remove_if(operations.begin(), operations.end(), [](auto& one) { return one.has_ping(); });
    if (pings == operations.end()) return;
    operations.erase(pings, operations.end());
    Response alive;
    alive.add_results();
    if (!hung_) stream->Write(alive);
  }

  grpc::Status LeaseStream(grpc::ServerContext* context, grpc::ServerReaderWriter<Response, Request>* stream) override {
    Request request;
    while (stream->Read(&request)) {
      MutexLock lock(mutex_);
      AnswerPings(request, stream);
      if (!request.has_hello() && request.operations().empty()) continue;
      messages_.push_back(request);
      if (!request.has_hello()) continue;
      ++streams_;
      context_ = context;
      stream_ = stream;
      Response ack;
      for (const auto& id : std::exchange(lost_, {})) ack.mutable_hello_ack()->add_lost(id);
      ack.mutable_hello_ack()->set_epoch(1);
      stream->Write(ack);
    }
    MutexLock lock(mutex_);
    if (!context->IsCancelled()) ++half_closed_;
    return grpc::Status::OK;
  }

  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  Mutex mutex_;
  std::vector<Request> messages_ CCR_GUARDED_BY(mutex_);
  std::vector<std::string> lost_ CCR_GUARDED_BY(mutex_);
  int streams_ CCR_GUARDED_BY(mutex_) = 0;
  int half_closed_ CCR_GUARDED_BY(mutex_) = 0;
  bool hung_ CCR_GUARDED_BY(mutex_) = false;
  grpc::ServerContext* context_ CCR_GUARDED_BY(mutex_) = nullptr;  // of the newest stream
  grpc::ServerReaderWriter<Response, Request>* stream_ CCR_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace ccr::client
