// Requests to providers over plain HTTP/1.1, on one event loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "broker/base/absl_text.h"
#include "proxy/upstream/plain_transfer.h"

namespace ccr::proxy {

// Belongs to one loop. Keeps connections for two minutes, the one used last at hand first, as providers close those
// that were used least.
class PlainClient : private PlainConnection::User {
 public:
  // `running` holds what Start returns until it ends, and is empty of it before the client is destroyed.
  PlainClient(boost::asio::io_context& loop, size_t max_idle_connections, RunningTransfers& running);
  ~PlainClient() override;

  // Not those origins ("host[:port]") whose answers were not valid: curl takes more than the standard allows.
  bool Serves(std::string_view origin) const { return invalid_.empty() || !invalid_.contains(ToAbsl(origin)); }

  // The request's URL is a PlainUrl, and its headers hold no line break.
  UpstreamClient::Transfer* Start(UpstreamRequest request, UpstreamHandler* handler);

  // For transfers.
  std::shared_ptr<Dialer> NewDialer();
  // nullptr when there is none. One that has said something since its last answer is none: the next request would take
  // that for its own.
  std::shared_ptr<PlainConnection> TakeIdle(const std::string& origin, SteadyTime now);
  void KeepIdle(std::shared_ptr<PlainConnection> connection, SteadyTime now);
  void NoteInvalidAnswer(const std::string& origin);
  void Drop(PlainTransfer* transfer);
  void Finish(PlainTransfer* transfer, const UpstreamResult& result);

 private:
  using Connections = std::vector<std::shared_ptr<PlainConnection>>;

  void OnRead(PlainConnection& connection, const boost::system::error_code& error) override;
  void OnWritable(PlainConnection&) override {}

  void Close(Connections& connections, Connections::iterator end);
  std::unique_ptr<PlainTransfer> Remove(PlainTransfer* transfer);
  void Recycle(std::unique_ptr<PlainTransfer> transfer);

  boost::asio::io_context& loop_;
  const size_t max_idle_connections_;
  RunningTransfers& running_;
  AddressBook book_;
  absl::flat_hash_map<std::string, Connections> idle_connections_;  // by origin, used last at the end
  size_t idle_count_ = 0;
  absl::flat_hash_set<std::string> invalid_;          // origins that are left to others
  std::vector<std::unique_ptr<PlainTransfer>> idle_;  // for reuse
};

}  // namespace ccr::proxy
