// What all transfers have in common: the request, who receives the response, and the deadlines.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/intrusive/set.hpp>
#include <optional>
#include <string_view>

#include "proxy/upstream/client.h"
#include "proxy/upstream/lazy_timer.h"

namespace ccr::proxy {

// One request to a provider and its response. Reused: Begin, then End, any number of times. While it runs it stands in
// a RunningTransfers. Belongs to one loop.
class UpstreamClient::Transfer : public boost::intrusive::set_base_hook<> {
 public:
  virtual ~Transfer() = default;
  Transfer() = default;
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Goes on after the handler's pause; does not call the handler.
  virtual void Resume() = 0;
  // Ends it without another call of the handler.
  virtual void Cancel() = 0;
  // Ends it because a deadline has passed.
  virtual void TimeOut(TransportError error, SteadyTime now) = 0;

  // Whether the request's body is needed no more: all of it has left, and an answer has begun.
  bool Uploaded() const { return head_read() && AllSent(); }

  UpstreamHandler* handler() const { return handler_; }

  // The next moment to call CheckDeadlines; max() = never. No deadline can pass before it, whatever happens until then,
  // so that bytes coming and going need no timer.
  SteadyTime next_check() const { return next_check_; }
  bool operator<(const Transfer& other) const { return next_check_ < other.next_check_; }
  // The deadline that has passed, if any; else sets the next moment.
  std::optional<TransportError> CheckDeadlines(SteadyTime now);

 protected:
  void Begin(UpstreamRequest request, UpstreamHandler* handler, SteadyTime now);
  void End();
  // From now on the handler hears nothing.
  void Abandon() { handler_ = nullptr; }

  virtual SteadyTime ConnectedAt() const = 0;  // min() while connecting
  // When to look again, or give up, while connecting.
  virtual SteadyTime ConnectDeadline(SteadyTime now) const = 0;

  virtual bool AllSent() const = 0;

  void NoteHead(SteadyTime now) { read_at_ = now; }
  // Hands bytes of the body over.
  void Deliver(std::string_view bytes, SteadyTime now);
  bool TakeBackPause(SteadyTime now);  // false when there was none

  bool head_read() const { return read_at_ != SteadyTime::min(); }
  size_t BodySize() const;
  // Of an end with `error`, for that reason.
  UpstreamResult Result(TransportError error, std::string_view reason, SteadyTime now) const;

  UpstreamRequest request_;
  SteadyTime started_;
  SteadyTime uploaded_at_;  // last bytes of the request taken
  bool paused_ = false;     // by the handler

 private:
  SteadyTime PhaseDeadline(SteadyTime now) const;

  UpstreamHandler* handler_ = nullptr;
  SteadyTime next_check_;
  SteadyTime read_at_;        // last bytes received or resumed; min() before the head
  SteadyTime first_byte_at_;  // min() before
};

// `from` + `timeout`; max() when there is none: zero, or beyond a year.
SteadyTime After(SteadyTime from, absl::Duration timeout);

// How many ended transfers a client keeps for reuse.
inline constexpr size_t kMaxIdleTransfers = 256;

// Why a request does not leave that would smuggle another header in.
inline constexpr std::string_view kLineBreak = "a header of the request holds a line break";

// The transfers under way, by their deadlines. Each belongs to the client that has started it, which erases it.
class RunningTransfers {
 public:
  explicit RunningTransfers(boost::asio::io_context& loop);

  void Insert(UpstreamClient::Transfer& transfer);
  void Erase(UpstreamClient::Transfer& transfer);
  void CancelAll();  // outside of any handler
  size_t size() const { return set_.size(); }

 private:
  void CallForDeadline();
  void OnDeadline();

  boost::intrusive::multiset<UpstreamClient::Transfer> set_;
  LazyTimer timer_;
};

}  // namespace ccr::proxy
