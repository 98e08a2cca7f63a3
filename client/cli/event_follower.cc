#include "client/cli/event_follower.h"

#include <grpcpp/channel.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <iterator>
#include <utility>

namespace ccr::cli {
namespace {

namespace v1 = ::ccr::broker::v1;

constexpr size_t kMostEvents = 10000;
constexpr std::chrono::seconds kReconnect{1};

}  // namespace

EventFollower::EventFollower(const std::shared_ptr<grpc::Channel>& channel, const std::string& pool)
    : stub_(v1::KeyAdmin::NewStub(channel)), pool_(pool), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  thread_ = std::thread([this] { Run(); });
}

EventFollower::~EventFollower() {
  {
    MutexLock lock(mutex_);
    ended_ = true;
    if (call_ != nullptr) call_->TryCancel();
    changed_.notify_all();
  }
  thread_.join();
  close(wake_);
}

std::vector<v1::Event> EventFollower::Take() {
  MutexLock lock(mutex_);
  eventfd_t ignored = 0;
  eventfd_read(wake_, &ignored);
  std::vector<v1::Event> taken(std::make_move_iterator(events_.begin()), std::make_move_iterator(events_.end()));
  events_.clear();
  return taken;
}

void EventFollower::Run() {
  while (true) {
    Follow();
    MutexLock lock(mutex_);
    const auto until = std::chrono::steady_clock::now() + kReconnect;
    while (!ended_ && changed_.wait_until(mutex_, until) == std::cv_status::no_timeout) {
    }
    if (ended_) return;
  }
}

void EventFollower::Follow() {
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  {
    MutexLock lock(mutex_);
    if (ended_) return;
    call_ = &context;
  }
  v1::WatchEventsRequest request;
  request.set_pool(pool_);
  const auto reader = stub_->WatchEvents(&context, request);
  v1::Event event;
  while (reader->Read(&event)) Push(event);
  reader->Finish();
  MutexLock lock(mutex_);
  call_ = nullptr;
}

void EventFollower::Push(const v1::Event& event) {
  MutexLock lock(mutex_);
  if (events_.size() == kMostEvents) events_.pop_front();
  events_.push_back(event);
  eventfd_write(wake_, 1);
}

}  // namespace ccr::cli
