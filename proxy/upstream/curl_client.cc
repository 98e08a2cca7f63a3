#include "proxy/upstream/curl_client.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "proxy/upstream/silence.h"

namespace ccr::proxy {
CurlClient::CurlClient(boost::asio::io_context& loop, const UpstreamClient::Options& options, RunningTransfers& running)
    : loop_(loop),
      options_(options),
      running_(running),
      multi_(loop, options.max_idle_connections, [this] { AfterWork(); }),
      self_(std::make_shared<CurlClient*>(this)) {}

CurlTransfer* CurlClient::Of(CURL* easy) {
  char* transfer = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
  return reinterpret_cast<CurlTransfer*>(transfer);
}

UpstreamClient::Transfer* CurlClient::Start(UpstreamRequest request, UpstreamHandler* handler) {
  CurlTransfer* const transfer = Take().release();  // owned until Remove
  transfer->Begin(std::move(request), handler, std::chrono::steady_clock::now());
  running_.Insert(*transfer);
  multi_.Add(transfer->easy());
  return transfer;
}

std::unique_ptr<CurlTransfer> CurlClient::Take() {
  if (!idle_.empty()) {
    auto transfer = std::move(idle_.back());
    idle_.pop_back();
    return transfer;
  }
  auto transfer = std::make_unique<CurlTransfer>(*this, options_);
  multi_.Adopt(transfer->easy());
  return transfer;
}

void CurlClient::UnpauseSoon(CurlTransfer* transfer) {
  resumed_.push_back(transfer);
  if (resumed_.size() > 1) return;
  boost::asio::post(loop_, [weak = std::weak_ptr<CurlClient*>(self_)] {
    if (const auto self = weak.lock()) (*self)->UnpauseResumed();
  });
}

void CurlClient::UnpauseResumed() {
  while (!resumed_.empty()) {
    CurlTransfer* const transfer = resumed_.back();
    resumed_.pop_back();
    multi_.Unpause(transfer->easy());
  }
}

void CurlClient::Cancel(CurlTransfer* transfer) {
  if (!transfer->is_linked() || transfer->handler() == nullptr) return;
  transfer->Abandon();
  if (multi_.working()) {  // a handle cannot be removed from inside of curl's work
    cancelled_.push_back(transfer);
  } else {
    Recycle(Remove(transfer));
  }
}

void CurlClient::AfterWork() {
  while (!cancelled_.empty()) {
    CurlTransfer* const transfer = cancelled_.back();
    cancelled_.pop_back();
    Recycle(Remove(transfer));
  }
  CURLcode code = CURLE_OK;
  while (CURL* const easy = multi_.NextDone(&code)) {
    CurlTransfer* const transfer = Of(easy);
    if (transfer->TakesAnother(code)) {
      multi_.Remove(easy);
      multi_.Add(easy);
      continue;
    }
    if (multi_.IsOpen(transfer->socket())) Acknowledge(transfer->socket());
    Finish(transfer, transfer->ResultOf(code, std::chrono::steady_clock::now()));
  }
}

// The handler may cancel its transfer from OnDone, which does nothing, and start another, which is not this one.
void CurlClient::Finish(CurlTransfer* transfer, const UpstreamResult& result) {
  UpstreamHandler* const handler = transfer->handler();
  std::unique_ptr<CurlTransfer> ended = Remove(transfer);
  if (handler != nullptr) handler->OnDone(result);
  Recycle(std::move(ended));
}

std::unique_ptr<CurlTransfer> CurlClient::Remove(CurlTransfer* transfer) {
  transfer->Abandon();
  multi_.Remove(transfer->easy());
  running_.Erase(*transfer);
  std::erase(resumed_, transfer);
  transfer->End();
  return std::unique_ptr<CurlTransfer>(transfer);
}

void CurlClient::Recycle(std::unique_ptr<CurlTransfer> transfer) {
  if (idle_.size() < kMaxIdleTransfers) idle_.push_back(std::move(transfer));
}

}  // namespace ccr::proxy
