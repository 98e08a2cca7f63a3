// One request over plain HTTP/1.1 and its response.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "proxy/upstream/dialer.h"
#include "proxy/upstream/plain_connection.h"
#include "proxy/upstream/plain_url.h"
#include "proxy/upstream/response_parser.h"
#include "proxy/upstream/transfer.h"
#include "proxy/upstream/wiped_text.h"

namespace ccr::proxy {

class PlainClient;

// Sends the request on a kept connection, or a new one. A kept one may have been closed by the provider in the
// meantime: when it ends before any byte of the response, the request is sent once more, on a new one.
class PlainTransfer : public UpstreamClient::Transfer, private PlainConnection::User, private ResponseParser::Sink {
 public:
  explicit PlainTransfer(PlainClient& client) : client_(client) {}

  void Begin(UpstreamRequest request, UpstreamHandler* handler, SteadyTime now);
  // The request is forgotten and the credential wiped. Closes the connection if it is still in use.
  void End();

  void Resume() override;
  void Cancel() override;
  void TimeOut(TransportError error, SteadyTime now) override;

 private:
  enum class Parsed { kMore, kDone, kMalformed, kRefused };

  SteadyTime ConnectedAt() const override { return connected_at_; }
  SteadyTime ConnectDeadline(SteadyTime now) const override;
  bool AllSent() const override { return sent_ == size_; }

  void OnRead(PlainConnection& connection, const boost::system::error_code& error) override;
  void OnWritable(PlainConnection& connection) override;
  void OnReadable(PlainConnection&) override {}
  bool OnBody(std::string_view bytes) override;

  void BuildHead(const PlainUrl& url);
  void Dial();
  void Use(std::shared_ptr<PlainConnection> connection, SteadyTime now);
  void ExpectResponse();
  void SendMore();
  Parsed Parse();
  void OnReadError(const boost::system::error_code& error);
  void Complete(bool connection_ended);
  void Fail(TransportError error, std::string_view reason);

  PlainClient& client_;
  std::string host_, port_, origin_;
  WipedText head_;   // of the request
  size_t size_ = 0;  // of the request
  size_t sent_ = 0;  // of size_
  bool write_failed_ = false;
  std::shared_ptr<Dialer> dialer_;               // while connecting
  std::shared_ptr<PlainConnection> connection_;  // once connected
  bool reused_ = false;                          // connection_ has served before, and nothing has come since
  SteadyTime dialed_at_;
  SteadyTime connected_at_;  // min() before
  std::optional<ResponseParser> parser_;
  bool head_given_ = false;
  size_t head_bytes_ = 0;  // of all heads
  bool parsing_ = false;   // the handler may be at work
  SteadyTime now_;         // while parsing_
};

}  // namespace ccr::proxy
