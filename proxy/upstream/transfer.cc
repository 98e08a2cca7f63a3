#include "proxy/upstream/transfer.h"

#include <algorithm>
#include <utility>

namespace ccr::proxy {

namespace {

constexpr size_t kMaxDetail = 200;

}  // namespace

SteadyTime After(SteadyTime from, absl::Duration timeout) {
  if (timeout == absl::ZeroDuration() || timeout >= absl::Hours(24 * 365)) return SteadyTime::max();
  return from + absl::ToChronoNanoseconds(timeout);
}

void UpstreamClient::Transfer::Begin(UpstreamRequest request, UpstreamHandler* handler, SteadyTime now) {
  request_ = std::move(request);
  handler_ = handler;
  started_ = uploaded_at_ = now;
  read_at_ = first_byte_at_ = SteadyTime::min();
  paused_ = false;
  next_check_ = std::min({After(now, request_.total_timeout), After(now, request_.connect_timeout),
                          After(now, request_.first_byte_timeout), After(now, request_.idle_timeout)});
}

void UpstreamClient::Transfer::End() {
  request_ = {};
  handler_ = nullptr;
  paused_ = false;
}

std::optional<TransportError> UpstreamClient::Transfer::CheckDeadlines(SteadyTime now) {
  const SteadyTime deadline = std::min(After(started_, request_.total_timeout), PhaseDeadline(now));
  next_check_ = std::min(deadline, After(now, request_.idle_timeout));
  if (!head_read()) {  // it may have connected the next moment, or connect anew
    next_check_ =
        std::min({next_check_, After(now, request_.connect_timeout), After(now, request_.first_byte_timeout)});
  }
  if (now < deadline) return std::nullopt;
  if (head_read()) return TransportError::kIdleTimeout;
  return ConnectedAt() == SteadyTime::min() ? TransportError::kConnectTimeout : TransportError::kFirstByteTimeout;
}

SteadyTime UpstreamClient::Transfer::PhaseDeadline(SteadyTime now) const {
  if (head_read()) return After(paused_ ? now : read_at_, request_.idle_timeout);
  const SteadyTime connected = ConnectedAt();
  if (connected == SteadyTime::min()) return ConnectDeadline(now);
  return After(std::max(connected, uploaded_at_), request_.first_byte_timeout);
}

void UpstreamClient::Transfer::Deliver(std::string_view bytes, SteadyTime now) {
  read_at_ = now;
  if (first_byte_at_ == SteadyTime::min()) first_byte_at_ = now;
  paused_ = true;  // so that a Resume from inside is not lost
  if (handler_->OnData(bytes)) paused_ = false;
}

bool UpstreamClient::Transfer::TakeBackPause(SteadyTime now) {
  if (!std::exchange(paused_, false)) return false;
  read_at_ = now;
  return true;
}

size_t UpstreamClient::Transfer::BodySize() const {
  size_t size = 0;
  for (const std::string_view piece : request_.body) size += piece.size();
  return size;
}

UpstreamResult UpstreamClient::Transfer::Result(TransportError error, std::string_view reason, SteadyTime now) const {
  UpstreamResult result;
  result.error = error;
  result.detail = reason.substr(0, kMaxDetail);
  const SteadyTime first = first_byte_at_ != SteadyTime::min() ? first_byte_at_ : read_at_;
  if (first != SteadyTime::min()) result.first_byte = absl::FromChrono(first - started_);
  result.total = absl::FromChrono(now - started_);
  return result;
}

RunningTransfers::RunningTransfers(boost::asio::io_context& loop) : timer_(loop, [this] { OnDeadline(); }) {}

void RunningTransfers::Insert(UpstreamClient::Transfer& transfer) {
  set_.insert(transfer);
  CallForDeadline();
}

void RunningTransfers::Erase(UpstreamClient::Transfer& transfer) {
  set_.erase(set_.iterator_to(transfer));
}

void RunningTransfers::CancelAll() {
  while (!set_.empty()) set_.begin()->Cancel();  // which erases it, as curl is not at work
}

void RunningTransfers::OnDeadline() {
  const SteadyTime now = std::chrono::steady_clock::now();
  while (!set_.empty() && set_.begin()->next_check() <= now) {
    UpstreamClient::Transfer& transfer = *set_.begin();
    set_.erase(set_.begin());  // its place in the order is about to change
    const std::optional<TransportError> passed = transfer.CheckDeadlines(now);
    set_.insert(transfer);
    if (passed) transfer.TimeOut(*passed, now);  // which erases it, and may start others
  }
  CallForDeadline();
}

void RunningTransfers::CallForDeadline() {
  if (set_.empty() || set_.begin()->next_check() == SteadyTime::max()) return;
  timer_.CallBy(set_.begin()->next_check());
}

}  // namespace ccr::proxy
