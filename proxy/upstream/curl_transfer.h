// One request to a provider and its response, on one easy handle.
#pragma once

#include <curl/curl.h>

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "proxy/upstream/chunk_decoder.h"
#include "proxy/upstream/header_list.h"
#include "proxy/upstream/response_head.h"
#include "proxy/upstream/transfer.h"

namespace ccr::proxy {

class CurlClient;

// Hands head and data to its handler from inside of curl's work.
//
// Curl would take whatever a kept HTTP/1.x connection has to read as the answer to the request it sends there. So such
// a connection is looked at right before, and one that is not silent is closed and replaced by a new one. So is one
// that fails before any byte of the answer, once. Bytes that come together with the end of an answer curl drops in
// part; where it would keep the connection nonetheless, that is where curl does not count them itself, the answer's end
// is found here, and curl told to stop.
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
  int socket() const { return socket_; }  // of HTTP/1.x, once the request is sent; else -1. It may be closed by now
  // Whether curl, which has ended with `code`, is to begin again, on a new connection: then all is ready for it.
  bool TakesAnother(CURLcode code);
  UpstreamResult ResultOf(CURLcode code, SteadyTime now) const;

 private:
  static int OnConnected(void* self, char* remote_ip, char* local_ip, int remote_port, int local_port);
  static size_t OnHeader(char* data, size_t size, size_t count, void* self);
  static size_t OnBody(char* data, size_t size, size_t count, void* self);
  static size_t OnUpload(char* to, size_t size, size_t count, void* self);
  static int OnSeek(void* self, curl_off_t offset, int origin);

  SteadyTime ConnectedAt() const override { return connected_at_; }
  SteadyTime ConnectDeadline(SteadyTime now) const override;
  bool AllSent() const override;

  void SetUrl();
  void SetMethod();
  void SetBody();
  void SetHeaders();
  void SetAuthorities();
  bool HasHeader(std::string_view name) const;
  void TakeHead();
  size_t TakeChunks(std::string_view bytes);

  CurlClient& client_;
  CURL* const easy_;
  CURLU* const url_;
  // What easy_ holds from the transfer before.
  std::optional<std::string> set_url_;
  std::optional<std::string> proxy_url_;
  std::shared_ptr<const std::string> authorities_;
  HeaderList headers_;
  ResponseHead head_;
  std::string joined_;  // a small body of several pieces, as one

  size_t piece_ = 0;  // where the upload is
  size_t offset_ = 0;

  SteadyTime connected_at_;  // min() before
  int socket_ = -1;
  bool kept_ = false;      // the connection has served before
  bool stale_ = false;     // and something was there to be read
  bool replaced_ = false;  // a new one is in its place
  std::optional<ChunkDecoder> chunks_;
  bool proxy_refuses_ = false;
  std::array<char, CURL_ERROR_SIZE> words_{};  // curl's, of an error
  bool complete_ = false;                      // all of the answer is here, and curl need not find its end
  int64_t expected_ = -1;                      // bytes of the response's body, by its head
  int64_t received_ = 0;
  bool curl_paused_ = false;  // curl holds data back for it
};

}  // namespace ccr::proxy
