// One request to a provider and its response, on one easy handle.
#pragma once

#include <curl/curl.h>

#include <boost/intrusive/set.hpp>
#include <optional>
#include <string>

#include "proxy/upstream/client.h"
#include "proxy/upstream/header_list.h"
#include "proxy/upstream/lazy_timer.h"
#include "proxy/upstream/response_head.h"

namespace ccr::proxy {

// Reused: Begin, then End, any number of times. Hands head and data to its handler from inside of curl's work.
// While it runs it stands in the client's set of deadlines.
class UpstreamClient::Transfer : public boost::intrusive::set_base_hook<> {
 public:
  explicit Transfer(const Options& options);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // The request is forgotten and the credential wiped at End.
  void Begin(UpstreamRequest request, UpstreamHandler* handler, SteadyTime now);
  void End();

  // From now on the handler hears nothing, and curl ends the transfer at its next callback.
  void Abandon() { handler_ = nullptr; }
  UpstreamHandler* handler() const { return handler_; }
  CURL* easy() const { return easy_; }

  // True when curl holds data back and is to be told to go on, outside of its work.
  bool Resume(SteadyTime now);

  // The next moment to call CheckDeadlines; max() = never. No deadline can pass before it, whatever happens until then,
  // so that bytes coming and going need no timer.
  SteadyTime next_check() const { return next_check_; }
  bool operator<(const Transfer& other) const { return next_check_ < other.next_check_; }
  // The deadline that has passed, if any; else sets the next moment.
  std::optional<TransportError> CheckDeadlines(SteadyTime now);

  UpstreamResult Result(CURLcode code, SteadyTime now) const;
  UpstreamResult TimedOut(TransportError error, SteadyTime now) const;

 private:
  static size_t OnHeader(char* data, size_t size, size_t count, void* self);
  static size_t OnBody(char* data, size_t size, size_t count, void* self);
  static size_t OnUpload(char* to, size_t size, size_t count, void* self);
  static int OnSeek(void* self, curl_off_t offset, int origin);

  void SetUrl();
  void SetMethod();
  void SetBody();
  void SetHeaders();
  bool HasHeader(std::string_view name) const;
  size_t BodySize() const;
  SteadyTime PhaseDeadline(SteadyTime now) const;
  SteadyTime ConnectedAt() const;  // min() while connecting
  bool Sent() const;
  void FillTimes(UpstreamResult& result, SteadyTime now) const;

  CURL* const easy_;
  CURLU* const url_;
  // What easy_ holds from the transfer before.
  std::optional<std::string> set_url_;
  std::optional<std::string> proxy_url_;
  UpstreamRequest request_;
  UpstreamHandler* handler_ = nullptr;
  HeaderList headers_;
  ResponseHead head_;
  std::string joined_;  // a small body of several pieces, as one

  size_t piece_ = 0;  // where the upload is
  size_t offset_ = 0;

  int64_t expected_ = -1;  // bytes of the response's body, by its head
  int64_t received_ = 0;

  SteadyTime started_;
  SteadyTime next_check_;
  SteadyTime uploaded_at_;    // last bytes taken by curl
  SteadyTime read_at_;        // last bytes received or resumed; min() before the head
  SteadyTime first_byte_at_;  // min() before
  bool paused_ = false;       // by the handler
  bool curl_paused_ = false;  // and curl knows
};

}  // namespace ccr::proxy
