// One request to a provider and its response, on one easy handle.
#pragma once

#include <curl/curl.h>

#include <optional>
#include <string>

#include "proxy/upstream/header_list.h"
#include "proxy/upstream/response_head.h"
#include "proxy/upstream/transfer.h"

namespace ccr::proxy {

class CurlClient;

// Hands head and data to its handler from inside of curl's work.
class CurlTransfer : public UpstreamClient::Transfer {
 public:
  CurlTransfer(CurlClient& client, const UpstreamClient::Options& options);
  ~CurlTransfer() override;

  // The request is forgotten and the credential wiped at End.
  void Begin(UpstreamRequest request, UpstreamHandler* handler, SteadyTime now);
  void End();

  void Resume() override;
  void Cancel() override;
  void TimeOut(TransportError error, SteadyTime now) override;

  using Transfer::Abandon;  // curl then ends the transfer at its next callback
  CURL* easy() const { return easy_; }
  UpstreamResult ResultOf(CURLcode code, SteadyTime now) const;

 private:
  static size_t OnHeader(char* data, size_t size, size_t count, void* self);
  static size_t OnBody(char* data, size_t size, size_t count, void* self);
  static size_t OnUpload(char* to, size_t size, size_t count, void* self);
  static int OnSeek(void* self, curl_off_t offset, int origin);

  SteadyTime ConnectedAt() const override;
  SteadyTime ConnectDeadline(SteadyTime now) const override;
  bool Sent() const override;

  void SetUrl();
  void SetMethod();
  void SetBody();
  void SetHeaders();
  bool HasHeader(std::string_view name) const;

  CurlClient& client_;
  CURL* const easy_;
  CURLU* const url_;
  // What easy_ holds from the transfer before.
  std::optional<std::string> set_url_;
  std::optional<std::string> proxy_url_;
  HeaderList headers_;
  ResponseHead head_;
  std::string joined_;  // a small body of several pieces, as one

  size_t piece_ = 0;  // where the upload is
  size_t offset_ = 0;

  int64_t expected_ = -1;  // bytes of the response's body, by its head
  int64_t received_ = 0;
  bool curl_paused_ = false;  // curl holds data back for it
};

}  // namespace ccr::proxy
