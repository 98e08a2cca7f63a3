#include "proxy/upstream/plain_client.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace ccr::proxy {
namespace {

constexpr auto kIdleTime = std::chrono::minutes(2);

}  // namespace

PlainClient::PlainClient(boost::asio::io_context& loop, const UpstreamClient::Options& options,
                         RunningTransfers& running)
    : loop_(loop), options_(options), running_(running), book_(loop) {}

PlainClient::~PlainClient() {
  for (auto& [origin, connections] : idle_connections_) Close(connections, connections.end());
}

UpstreamClient::Transfer* PlainClient::Start(UpstreamRequest request, UpstreamHandler* handler) {
  auto transfer = idle_.empty() ? std::make_unique<PlainTransfer>(*this) : std::move(idle_.back());
  if (!idle_.empty()) idle_.pop_back();
  transfer->Begin(std::move(request), handler, std::chrono::steady_clock::now());
  running_.Insert(*transfer);
  return transfer.release();  // owned until Remove
}

std::shared_ptr<Dialer> PlainClient::NewDialer() {
  return std::make_shared<Dialer>(loop_, book_);
}

std::shared_ptr<PlainConnection> PlainClient::TakeIdle(const std::string& origin, SteadyTime now) {
  const auto found = idle_connections_.find(origin);
  if (found == idle_connections_.end() || found->second.empty()) return nullptr;
  Connections& connections = found->second;
  if (now - connections.back()->idle_since() > kIdleTime) {
    Close(connections, connections.end());
    return nullptr;
  }
  while (!connections.empty()) {
    std::shared_ptr<PlainConnection> taken = std::move(connections.back());
    connections.pop_back();
    --idle_count_;
    if (taken->IsSilent()) return taken;
    CloseSpoken(*taken);
  }
  return nullptr;
}

void PlainClient::KeepIdle(std::shared_ptr<PlainConnection> connection, SteadyTime now) {
  if (idle_count_ >= options_.max_idle_connections) return connection->Close();
  connection->SetIdle(now);
  connection->SetUser(this);
  connection->Watch();
  ++idle_count_;
  Connections& connections = idle_connections_[connection->origin()];
  connections.push_back(std::move(connection));
  const auto is_fresh = [now](const auto& kept) { return now - kept->idle_since() <= kIdleTime; };
  if (!is_fresh(connections.front()))
    Close(connections, std::find_if(connections.begin(), connections.end(), is_fresh));
}

// The end of an idle connection, or words that nobody has asked for.
void PlainClient::OnReadable(PlainConnection& connection) {
  if (connection.IsSilent()) return connection.Watch();
  Connections& connections = idle_connections_[connection.origin()];
  const auto is_this = [&](const auto& kept) { return kept.get() == &connection; };
  const auto found = std::find_if(connections.begin(), connections.end(), is_this);
  if (found == connections.end()) return;
  CloseSpoken(connection);
  connections.erase(found);
  --idle_count_;
  if (connections.empty()) idle_connections_.erase(connection.origin());
}

void PlainClient::CloseSpoken(PlainConnection& connection) {
  if (connection.HasSurplus()) LogSurplus(connection.provider());
  connection.Close();
}

void PlainClient::Close(Connections& connections, Connections::iterator end) {
  for (auto connection = connections.begin(); connection != end; ++connection) (*connection)->Close();
  idle_count_ -= static_cast<size_t>(end - connections.begin());
  connections.erase(connections.begin(), end);
}

void PlainClient::Drop(PlainTransfer* transfer) {
  Recycle(Remove(transfer));
}

// The handler may cancel its transfer from OnDone, which does nothing, and start another, which is not this one.
void PlainClient::Finish(PlainTransfer* transfer, const UpstreamResult& result) {
  UpstreamHandler* const handler = transfer->handler();
  std::unique_ptr<PlainTransfer> ended = Remove(transfer);
  handler->OnDone(result);
  Recycle(std::move(ended));
}

std::unique_ptr<PlainTransfer> PlainClient::Remove(PlainTransfer* transfer) {
  running_.Erase(*transfer);
  transfer->End();
  return std::unique_ptr<PlainTransfer>(transfer);
}

void PlainClient::Recycle(std::unique_ptr<PlainTransfer> transfer) {
  if (idle_.size() < kMaxIdleTransfers) idle_.push_back(std::move(transfer));
}

}  // namespace ccr::proxy
