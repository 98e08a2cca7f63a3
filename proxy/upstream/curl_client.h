// Requests to providers over TLS, HTTP/2 or an HTTP proxy: one curl multi handle on one event loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <vector>

#include "proxy/upstream/curl_transfer.h"
#include "proxy/upstream/multi_loop.h"

namespace ccr::proxy {

// Belongs to one loop. Connections are kept and shared by all transfers.
class CurlClient {
 public:
  // `running` holds what Start returns until it ends, and is empty of it before the client is destroyed.
  CurlClient(boost::asio::io_context& loop, const UpstreamClient::Options& options, RunningTransfers& running);

  UpstreamClient::Transfer* Start(UpstreamRequest request, UpstreamHandler* handler);

  // For transfers: outside of curl's work, in the next turn.
  void UnpauseSoon(CurlTransfer* transfer);
  void Cancel(CurlTransfer* transfer);
  void Finish(CurlTransfer* transfer, const UpstreamResult& result);
  MultiLoop& multi() { return multi_; }
  int open_error() const { return multi_.open_error(); }

 private:
  static CurlTransfer* Of(CURL* easy);

  std::unique_ptr<CurlTransfer> Take();
  void AfterWork();
  void UnpauseResumed();
  std::unique_ptr<CurlTransfer> Remove(CurlTransfer* transfer);
  void Recycle(std::unique_ptr<CurlTransfer> transfer);

  boost::asio::io_context& loop_;
  const UpstreamClient::Options& options_;
  RunningTransfers& running_;
  MultiLoop multi_;
  std::vector<CurlTransfer*> cancelled_;  // from inside of curl's work, to be removed after it
  std::vector<CurlTransfer*> resumed_;    // of running_; curl is told in the next turn
  std::vector<std::unique_ptr<CurlTransfer>> idle_;
  std::shared_ptr<CurlClient*> self_;  // what a posted task that outlives us finds out by
};

}  // namespace ccr::proxy
