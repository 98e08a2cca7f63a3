#include "client/lib/routing_watch.h"

#include <chrono>
#include <utility>

namespace ccr::client {
namespace {

constexpr auto kRetryDelay = std::chrono::milliseconds(200);

}  // namespace

RoutingWatch::RoutingWatch(const std::shared_ptr<grpc::Channel>& channel, std::string client, Hook on_table)
    : stub_(v1::KeyBroker::NewStub(channel)), client_(std::move(client)), on_table_(std::move(on_table)) {
  thread_ = std::thread([this] { Run(); });
}

RoutingWatch::~RoutingWatch() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    if (context_ != nullptr) context_->TryCancel();
  }
  stopped_.notify_all();
  thread_.join();
}

void RoutingWatch::Run() {
  do {
    WatchOnce();
  } while (WaitToRetry());
}

void RoutingWatch::WatchOnce() {
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    context_ = &context;
  }
  v1::WatchRoutingRequest request;
  request.set_client(client_);
  const auto reader = stub_->WatchRouting(&context, request);
  v1::RoutingTable table;
  while (reader->Read(&table)) on_table_(std::exchange(table, {}));
  reader->Finish();
  MutexLock lock(mutex_);
  context_ = nullptr;
}

bool RoutingWatch::WaitToRetry() {
  MutexLock lock(mutex_);
  const auto until = std::chrono::steady_clock::now() + kRetryDelay;
  while (!stopping_ && stopped_.wait_until(mutex_, until) != std::cv_status::timeout) {
  }
  return !stopping_;
}

}  // namespace ccr::client
