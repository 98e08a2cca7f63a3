// Requests to providers over plain HTTP/1.1, on one event loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "proxy/upstream/plain_transfer.h"

namespace ccr::proxy {

// Belongs to one loop. Keeps connections for two minutes, the one used last at hand first, as providers close those
// that were used least.
class PlainClient : private PlainConnection::User {
 public:
  // `running` holds what Start returns until it ends, and is empty of it before the client is destroyed.
  PlainClient(boost::asio::io_context& loop, const UpstreamClient::Options& options, RunningTransfers& running);
  ~PlainClient() override;

  // The request's URL is a PlainUrl, and its headers hold no line break.
  UpstreamClient::Transfer* Start(UpstreamRequest request, UpstreamHandler* handler);

  // For transfers.
  std::shared_ptr<Dialer> NewDialer();
  // nullptr when there is none. One that has said something since its last answer is none: the next request would take
  // that for its own.
  std::shared_ptr<PlainConnection> TakeIdle(const std::string& origin, SteadyTime now);
  void KeepIdle(std::shared_ptr<PlainConnection> connection, SteadyTime now);
  void NoteInvalidAnswer(const std::string& origin) { options_.invalid->Insert(origin); }
  void Drop(PlainTransfer* transfer);
  void Finish(PlainTransfer* transfer, const UpstreamResult& result);

 private:
  using Connections = std::vector<std::shared_ptr<PlainConnection>>;

  void OnRead(PlainConnection&, const boost::system::error_code&) override {}
  void OnWritable(PlainConnection&) override {}
  void OnReadable(PlainConnection& connection) override;

  static void CloseSpoken(PlainConnection& connection);
  void Close(Connections& connections, Connections::iterator end);
  std::unique_ptr<PlainTransfer> Remove(PlainTransfer* transfer);
  void Recycle(std::unique_ptr<PlainTransfer> transfer);

  boost::asio::io_context& loop_;
  const UpstreamClient::Options& options_;
  RunningTransfers& running_;
  AddressBook book_;
  absl::flat_hash_map<std::string, Connections> idle_connections_;  // by origin, used last at the end
  size_t idle_count_ = 0;
  std::vector<std::unique_ptr<PlainTransfer>> idle_;  // for reuse
};

}  // namespace ccr::proxy
