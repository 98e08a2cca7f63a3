#include "proxy/upstream/client.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "proxy/upstream/multi_loop.h"
#include "proxy/upstream/transfer.h"

namespace ccr::proxy {
namespace {

constexpr size_t kIdleTransfers = 256;  // kept for reuse

}  // namespace

class UpstreamClient::Impl {
 public:
  Impl(boost::asio::io_context& loop, Options options);
  ~Impl();

  Transfer* Start(UpstreamRequest request, UpstreamHandler* handler);
  void Resume(Transfer* transfer);
  void Cancel(Transfer* transfer);
  size_t active() const { return running_.size(); }

 private:
  static Transfer* Of(CURL* easy);

  std::unique_ptr<Transfer> Take();
  void CallForDeadline();
  void OnDeadline();
  void AfterWork();
  void UnpauseResumed();
  void Finish(Transfer* transfer, const UpstreamResult& result);
  std::unique_ptr<Transfer> Remove(Transfer* transfer);
  void Recycle(std::unique_ptr<Transfer> transfer);

  boost::asio::io_context& loop_;
  const Options options_;
  MultiLoop multi_;
  LazyTimer deadline_timer_;
  boost::intrusive::multiset<Transfer> running_;  // owned, from Start to Finish or Cancel, by next_check()
  std::vector<Transfer*> cancelled_;              // from inside of curl's work, to be removed after it
  std::vector<Transfer*> resumed_;                // of running_; curl is told in the next turn
  std::vector<std::unique_ptr<Transfer>> idle_;
  std::shared_ptr<Impl*> self_;  // what a posted task that outlives us finds out by
};

UpstreamClient::Impl::Impl(boost::asio::io_context& loop, Options options)
    : loop_(loop),
      options_(std::move(options)),
      multi_(loop, options_.max_idle_connections, [this] { AfterWork(); }),
      deadline_timer_(loop, [this] { OnDeadline(); }),
      self_(std::make_shared<Impl*>(this)) {}

UpstreamClient::Impl::~Impl() {
  while (!running_.empty()) Remove(&*running_.begin());
  idle_.clear();
}

UpstreamClient::Transfer* UpstreamClient::Impl::Of(CURL* easy) {
  char* transfer = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
  return reinterpret_cast<Transfer*>(transfer);
}

UpstreamClient::Transfer* UpstreamClient::Impl::Start(UpstreamRequest request, UpstreamHandler* handler) {
  Transfer* const transfer = Take().release();  // running_ owns it
  transfer->Begin(std::move(request), handler, std::chrono::steady_clock::now());
  running_.insert(*transfer);
  CallForDeadline();
  multi_.Add(transfer->easy());
  return transfer;
}

std::unique_ptr<UpstreamClient::Transfer> UpstreamClient::Impl::Take() {
  if (!idle_.empty()) {
    auto transfer = std::move(idle_.back());
    idle_.pop_back();
    return transfer;
  }
  auto transfer = std::make_unique<Transfer>(options_);
  multi_.Adopt(transfer->easy());
  return transfer;
}

void UpstreamClient::Impl::Resume(Transfer* transfer) {
  if (!transfer->Resume(std::chrono::steady_clock::now())) return;
  resumed_.push_back(transfer);
  if (resumed_.size() > 1) return;
  boost::asio::post(loop_, [weak = std::weak_ptr<Impl*>(self_)] {
    if (const auto self = weak.lock()) (*self)->UnpauseResumed();
  });
}

void UpstreamClient::Impl::UnpauseResumed() {
  while (!resumed_.empty()) {
    Transfer* const transfer = resumed_.back();
    resumed_.pop_back();
    multi_.Unpause(transfer->easy());
  }
}

void UpstreamClient::Impl::Cancel(Transfer* transfer) {
  if (!transfer->is_linked() || transfer->handler() == nullptr) return;
  transfer->Abandon();
  if (multi_.working()) {
    cancelled_.push_back(transfer);
  } else {
    Recycle(Remove(transfer));
  }
}

void UpstreamClient::Impl::AfterWork() {
  while (!cancelled_.empty()) {
    Transfer* const transfer = cancelled_.back();
    cancelled_.pop_back();
    Recycle(Remove(transfer));
  }
  CURLcode code = CURLE_OK;
  while (CURL* const easy = multi_.NextDone(&code)) {
    Transfer* const transfer = Of(easy);
    Finish(transfer, transfer->Result(code, std::chrono::steady_clock::now()));
  }
}

void UpstreamClient::Impl::OnDeadline() {
  const SteadyTime now = std::chrono::steady_clock::now();
  while (!running_.empty() && running_.begin()->next_check() <= now) {
    Transfer& transfer = *running_.begin();
    running_.erase(running_.begin());
    const std::optional<TransportError> passed = transfer.CheckDeadlines(now);
    running_.insert(transfer);
    if (passed) Finish(&transfer, transfer.TimedOut(*passed, now));
  }
  CallForDeadline();
}

void UpstreamClient::Impl::CallForDeadline() {
  if (running_.empty() || running_.begin()->next_check() == SteadyTime::max()) return;
  deadline_timer_.CallBy(running_.begin()->next_check());
}

// The handler may cancel its transfer from OnDone, which does nothing, and start another, which is not this one.
void UpstreamClient::Impl::Finish(Transfer* transfer, const UpstreamResult& result) {
  UpstreamHandler* const handler = transfer->handler();
  std::unique_ptr<Transfer> ended = Remove(transfer);
  if (handler != nullptr) handler->OnDone(result);
  Recycle(std::move(ended));
}

std::unique_ptr<UpstreamClient::Transfer> UpstreamClient::Impl::Remove(Transfer* transfer) {
  transfer->Abandon();
  multi_.Remove(transfer->easy());
  running_.erase(running_.iterator_to(*transfer));
  std::erase(resumed_, transfer);
  transfer->End();
  return std::unique_ptr<Transfer>(transfer);
}

void UpstreamClient::Impl::Recycle(std::unique_ptr<Transfer> transfer) {
  if (idle_.size() < kIdleTransfers) idle_.push_back(std::move(transfer));
}

UpstreamClient::UpstreamClient(boost::asio::io_context& loop, Options options)
    : impl_(std::make_unique<Impl>(loop, std::move(options))) {}

UpstreamClient::~UpstreamClient() = default;

UpstreamClient::Transfer* UpstreamClient::Start(UpstreamRequest request, UpstreamHandler* handler) {
  return impl_->Start(std::move(request), handler);
}

void UpstreamClient::Resume(Transfer* transfer) {
  impl_->Resume(transfer);
}
void UpstreamClient::Cancel(Transfer* transfer) {
  impl_->Cancel(transfer);
}
size_t UpstreamClient::active() const {
  return impl_->active();
}

}  // namespace ccr::proxy
