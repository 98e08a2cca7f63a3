// Requests to providers, on one event loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "broker/base/secret.h"
#include "proxy/core/evidence/evidence.h"
#include "proxy/upstream/origin_set.h"

namespace ccr::proxy {

struct UpstreamRequest {
  std::string_view provider;  // its name, for logs; valid as `body` is
  std::string method;         // "POST", "GET", ...
  std::string url;            // http or https; anything else fails with kConnect
  // Sent as given, in order. Must not hold hop-by-hop headers, Host or Content-Length.
  std::vector<std::pair<std::string, std::string>> headers;
  // The one credential header: its value is credential_prefix + credential. Kept apart so that it shows up nowhere
  // else.
  std::string credential_header;
  std::string credential_prefix;
  Secret credential;
  // Sent with Content-Length. Pieces are views that stay valid until OnDone, Cancel or Uploaded: a big body is never
  // copied.
  std::vector<std::string_view> body;
  bool has_body = false;
  // Zero = no bound (for connecting with TLS or a proxy: 300 s).
  absl::Duration connect_timeout;     // name, connection and TLS
  absl::Duration first_byte_timeout;  // last byte sent -> end of the response head
  absl::Duration idle_timeout;        // between two reads; a pause does not count
  absl::Duration total_timeout;       // the whole attempt; passes as the error of the phase it ends in
  std::string proxy_url;              // HTTP proxy, or empty
  // PEM of who may sign the provider's certificate, instead of the client's; null: those.
  std::shared_ptr<const std::string> authorities;
};

struct UpstreamHead {
  int status = 0;
  int64_t content_length = -1;                               // -1 = unknown
  std::vector<std::pair<std::string, std::string>> headers;  // end-to-end only, as they came, order kept
};

struct UpstreamResult {
  TransportError error = TransportError::kNone;
  std::string detail;         // of `error`, in words: at most 200 bytes, no host, no part of a URL, no credential
  absl::Duration first_byte;  // start -> first byte of the body (of the head when there is no body)
  absl::Duration total;
};

// Receives one response, on the loop's thread: OnHead once (1xx are skipped), OnData any number of times, OnDone
// exactly once and last, unless the transfer is cancelled. May call Cancel or Resume of its transfer from inside.
class UpstreamHandler {
 public:
  virtual ~UpstreamHandler() = default;
  virtual void OnHead(UpstreamHead head) = 0;
  // Returns false to pause: these bytes are taken, and no more come until Resume (but for what one read holds).
  virtual bool OnData(std::string_view bytes) = 0;
  virtual void OnDone(const UpstreamResult& result) = 0;
};

// Not thread-safe: one loop, one client. Connections are kept and shared by all transfers. TLS is verified, redirects
// are not followed, only http and https are spoken, no cookies, no .netrc, no proxy from the environment. Https, and
// what goes through an HTTP proxy, is libcurl's, with HTTP/2 where the provider has it; plain http goes over sockets of
// our own, which costs far less.
class UpstreamClient {
 public:
  struct Options {
    size_t max_idle_connections = 1024;
    std::string ca_file;         // PEM of who may sign providers' certificates; empty: the system's
    bool all_with_curl = false;  // plain http too
    // Origins whose answers over plain http were not valid: curl takes more than the standard allows. Copies share it.
    std::shared_ptr<OriginSet> invalid = std::make_shared<OriginSet>();
  };
  UpstreamClient(boost::asio::io_context& loop, Options options);
  ~UpstreamClient();  // cancels what runs, without OnDone; not from inside a handler

  class Transfer;  // handle; stays valid until OnDone returns or Cancel
  // `handler` must outlive the transfer. Never calls the handler before it returns.
  Transfer* Start(UpstreamRequest request, UpstreamHandler* handler);
  void Resume(Transfer* transfer);
  void Cancel(Transfer* transfer);  // closes the connection to the provider; the handler is not called again

  // Whether the transfer reads its request's body no more.
  static bool Uploaded(const Transfer* transfer);

  size_t active() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ccr::proxy
