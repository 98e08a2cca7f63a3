// Calls without a network: a test decides when what happens on them.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "ccr/broker/v1/key_admin.grpc.pb.h"
#include "ccr/broker/v1/key_broker.grpc.pb.h"
#include "grpcpp/grpcpp.h"

namespace ccr {

class FakeStreamCall final
    : public grpc::ServerCallbackReaderWriter<broker::v1::LeaseStreamRequest, broker::v1::LeaseStreamResponse> {
 public:
  using Request = broker::v1::LeaseStreamRequest;
  using Response = broker::v1::LeaseStreamResponse;
  using Reactor = grpc::ServerBidiReactor<Request, Response>;

  explicit FakeStreamCall(Reactor* reactor) : reactor_(reactor) { BindReactor(reactor); }

  // The client's next message arrives.
  void Deliver(const Request& request) {
    *std::exchange(reading_, nullptr) = request;
    reactor_->OnReadDone(true);
  }
  // The write under way ends.
  void EndWrite(bool ok) {
    writing_ = false;
    reactor_->OnWriteDone(ok);
  }
  void Cancel() { reactor_->OnCancel(); }
  // The client sends no more.
  void Close() {
    reading_ = nullptr;
    reactor_->OnReadDone(false);
  }
  // The call is over: nothing may be under way.
  void End() {
    EXPECT_FALSE(writing_);
    EXPECT_TRUE(status_.has_value());
    reactor_->OnDone();
  }
  bool reading() const { return reading_ != nullptr; }
  bool writing() const { return writing_; }
  const std::vector<Response>& written() const { return written_; }

  void Finish(grpc::Status status) override { status_ = std::move(status); }
  void SendInitialMetadata() override {}
  void Read(Request* request) override { reading_ = request; }
  void Write(const Response* response, grpc::WriteOptions /*options*/) override {
    EXPECT_FALSE(writing_);
    writing_ = true;
    written_.push_back(*response);
  }
  void WriteAndFinish(const Response* response, grpc::WriteOptions /*options*/, grpc::Status status) override {
    written_.push_back(*response);
    status_ = std::move(status);
  }

 private:
  grpc::internal::ServerReactor* reactor() override { return reactor_; }
  void CallOnDone() override {}

  Reactor* const reactor_;
  Request* reading_ = nullptr;
  bool writing_ = false;
  std::vector<Response> written_;
  std::optional<grpc::Status> status_;
};

class FakeUnaryCall final : public grpc::ServerCallbackUnary {
 public:
  explicit FakeUnaryCall(grpc::ServerUnaryReactor* reactor) : reactor_(reactor) { BindReactor(reactor); }

  void Cancel() { reactor_->OnCancel(); }
  void End() {
    EXPECT_TRUE(status_.has_value());
    reactor_->OnDone();
  }

  void Finish(grpc::Status status) override { status_ = std::move(status); }
  void SendInitialMetadata() override {}

 private:
  grpc::internal::ServerReactor* reactor() override { return reactor_; }
  void CallOnDone() override {}

  grpc::ServerUnaryReactor* const reactor_;
  std::optional<grpc::Status> status_;
};

class FakeEventCall final : public grpc::ServerCallbackWriter<broker::v1::Event> {
 public:
  using Event = broker::v1::Event;
  using Reactor = grpc::ServerWriteReactor<Event>;

  explicit FakeEventCall(Reactor* reactor) : reactor_(reactor) { BindReactor(reactor); }

  // The client reads on, until nothing is left to be sent.
  std::vector<Event> ReadAll() {
    std::vector<Event> events;
    while (writing_.has_value()) {
      events.push_back(*std::move(writing_));
      writing_.reset();
      reactor_->OnWriteDone(true);
    }
    return events;
  }
  void Cancel() {
    reactor_->OnCancel();
    if (writing_.has_value()) reactor_->OnWriteDone(false);
    reactor_->OnDone();
  }

  void Finish(grpc::Status /*status*/) override {}
  void SendInitialMetadata() override {}
  void Write(const Event* event, grpc::WriteOptions /*options*/) override { writing_ = *event; }
  void WriteAndFinish(const Event* /*event*/, grpc::WriteOptions /*options*/, grpc::Status /*status*/) override {}

 private:
  grpc::internal::ServerReactor* reactor() override { return reactor_; }
  void CallOnDone() override {}

  Reactor* const reactor_;
  std::optional<Event> writing_;
};

}  // namespace ccr
