#include "proxy/upstream/client.h"

#include <algorithm>
#include <utility>

#include "proxy/upstream/curl_client.h"
#include "proxy/upstream/plain_client.h"
#include "proxy/upstream/plain_url.h"
#include "proxy/upstream/transfer.h"
#include "proxy/upstream/wiped_text.h"

namespace ccr::proxy {
namespace {

bool HoldsLineBreak(const UpstreamRequest& request) {
  const auto breaks = [](const auto& header) {
    return proxy::HoldsLineBreak(header.first) || proxy::HoldsLineBreak(header.second);
  };
  return std::any_of(request.headers.begin(), request.headers.end(), breaks) ||
         proxy::HoldsLineBreak(request.credential_header) || proxy::HoldsLineBreak(request.credential_prefix) ||
         proxy::HoldsLineBreak(request.credential.Reveal()) || proxy::HoldsLineBreak(request.method);
}

}  // namespace

struct UpstreamClient::Impl {
  Impl(boost::asio::io_context& loop, Options o)
      : options(std::move(o)), running(loop), curl(loop, options, running), plain(loop, options, running) {}
  ~Impl() { running.CancelAll(); }

  // Curl also words the refusal of what must not leave.
  bool NeedsCurl(const UpstreamRequest& request) const {
    if (options.all_with_curl || !request.proxy_url.empty() || HoldsLineBreak(request)) return true;
    const auto url = PlainUrl::Parse(request.url);
    return !url || options.invalid->Has(url->authority);
  }

  const Options options;
  RunningTransfers running;
  CurlClient curl;
  PlainClient plain;
};

UpstreamClient::UpstreamClient(boost::asio::io_context& loop, Options options)
    : impl_(std::make_unique<Impl>(loop, std::move(options))) {}

UpstreamClient::~UpstreamClient() = default;

UpstreamClient::Transfer* UpstreamClient::Start(UpstreamRequest request, UpstreamHandler* handler) {
  return impl_->NeedsCurl(request) ? impl_->curl.Start(std::move(request), handler)
                                   : impl_->plain.Start(std::move(request), handler);
}

void UpstreamClient::Resume(Transfer* transfer) {
  transfer->Resume();
}
void UpstreamClient::Cancel(Transfer* transfer) {
  transfer->Cancel();
}
bool UpstreamClient::Uploaded(const Transfer* transfer) {
  return transfer->Uploaded();
}

size_t UpstreamClient::active() const {
  return impl_->running.size();
}

}  // namespace ccr::proxy
