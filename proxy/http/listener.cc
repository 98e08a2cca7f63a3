#include "proxy/http/listener.h"

#include <poll.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/socket_base.hpp>
#include <utility>

#include "proxy/upstream/local_shortage.h"

namespace ccr::proxy {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

absl::Status ListenError(const HostPort& address, const error_code& error) {
  if (error == asio::error::address_in_use)
    return absl::UnavailableError("address " + address.ToString() + " is taken: another program listens there");
  return absl::UnavailableError("cannot listen on " + address.ToString() + ": " + error.message());
}

absl::StatusOr<tcp::endpoint> Resolve(const HostPort& address, asio::io_context& loop) {
  error_code error;
  const auto found =
      tcp::resolver(loop).resolve(address.host, std::to_string(address.port), tcp::resolver::passive, error);
  if (error || found.empty())
    return absl::InvalidArgumentError("'" + address.host + "' is no address of this machine: " + error.message());
  return found.begin()->endpoint();
}

// With `shared`, other sockets of this user may listen on the same address.
error_code Bind(Acceptor& acceptor, const tcp::endpoint& endpoint, bool shared) {
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error && shared) acceptor.set_option(ReusePort(true), error);
  if (!error) acceptor.bind(endpoint, error);
  return error;
}

// What has been idle for so long makes room for others, however late it was let in.
constexpr absl::Duration kLongIdle = absl::Seconds(1);

// Whether somebody waits to be accepted.
bool IsReadable(int listening) {
  pollfd state{listening, POLLIN, 0};
  return poll(&state, 1, 0) > 0;
}

}  // namespace

absl::StatusOr<std::vector<Acceptor>> Listen(const HostPort& address, const std::vector<asio::io_context*>& loops) {
  absl::StatusOr<tcp::endpoint> endpoint = Resolve(address, *loops.front());
  if (!endpoint.ok()) return endpoint.status();
  if (endpoint->port() != 0) {
    Acceptor probe(*loops.front());
    if (const error_code error = Bind(probe, *endpoint, false)) return ListenError(address, error);
  }
  std::vector<Acceptor> acceptors;
  for (asio::io_context* loop : loops) {
    Acceptor& acceptor = acceptors.emplace_back(*loop);
    error_code error = Bind(acceptor, *endpoint, true);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (!error) acceptor.non_blocking(true, error);
    if (!error) *endpoint = acceptor.local_endpoint(error);
    if (error) return ListenError(address, error);
  }
  return acceptors;
}

HostPort BoundAddress(const Acceptor& acceptor) {
  error_code ignored;
  const tcp::endpoint endpoint = acceptor.local_endpoint(ignored);
  return {endpoint.address().to_string(), endpoint.port()};
}

Listener::Listener(Server& server, Acceptor acceptor)
    : server_(server), acceptor_(std::move(acceptor)), timer_(server.loop) {}

Listener::~Listener() {
  while (!connections_.empty()) connections_.front().Close();
}

void Listener::Start() {
  Accept();
}

void Listener::Accept() {
  acceptor_.async_accept(server_.loop,
                         [this](const error_code& error, Socket socket) { OnAccepted(error, std::move(socket)); });
}

void Listener::OnAccepted(const error_code& error, Socket socket) {
  if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
  if (!error) Adopt(std::move(socket));
  const bool shortage = error && IsLocalShortage(error.value());
  // accept(2) wants its descriptor before it looks whether anybody waits: nobody is closed for nobody.
  if (shortage && !IsReadable(acceptor_.native_handle())) return AcceptWhenSomebodyComes();
  const bool made_room = shortage && CloseOldestIdle();
  accept_paused_ = error && error != asio::error::connection_aborted && !made_room;
  if (accept_paused_) return ScheduleTick();
  Accept();
}

void Listener::AcceptWhenSomebodyComes() {
  acceptor_.async_wait(Acceptor::wait_read, [this](const error_code& error) {
    if (!error && acceptor_.is_open()) Accept();
  });
}

bool Listener::CloseOldestIdle() {
  if (server_.idle.empty()) return false;
  server_.idle.front().GiveUp();
  return true;
}

int64_t Listener::Cap() const {
  const auto table = server_.leases.routing();
  return std::min<int64_t>(table ? table->max_connections : RoutingTable().max_connections, server_.clients.served);
}

bool Listener::OthersMakeRoom(int64_t above) {
  if (server_.count.idle.load(std::memory_order_relaxed) <= above) return false;
  server_.count.let_in = absl::ToUnixNanos(server_.clock.Now());
  return true;
}

// Of those that were idle before the last one was let in, or for long. Two workers that do so at once may close one too
// many; none that was just let in goes before it has had the time to ask.
void Listener::CloseAboveCap(absl::Time now) {
  const absl::Time before = std::max(absl::FromUnixNanos(server_.count.let_in), now - kLongIdle);
  while (!server_.idle.empty() && server_.count.open.load(std::memory_order_relaxed) > Cap()) {
    if (server_.idle.front().idle_since() >= before) return;
    CloseOldestIdle();
  }
}

void Listener::Adopt(Socket socket) {
  const int64_t cap = Cap();
  const int64_t open = server_.count.open.load(std::memory_order_relaxed);
  const bool above = open >= cap && !CloseOldestIdle();
  if (above && open >= cap + server_.clients.rejected) return server_.observer.OnConnection(ConnectionEvent::kRejected);
  const bool full = above && !OthersMakeRoom(open - cap);
  const auto connection = std::make_shared<Connection>(server_, std::move(socket));
  connections_.push_back(*connection);
  ScheduleTick();
  if (full) return connection->StartRejected();
  connection->Start();
  if (server_.draining) connection->Drain();
}

void Listener::ScheduleTick() {
  if (std::exchange(ticking_, true)) return;
  timer_.expires_after(kTick);
  timer_.async_wait([this](const error_code& error) {
    if (!error) OnTick();
  });
}

void Listener::OnTick() {
  ticking_ = false;
  const absl::Time now = server_.clock.Now();
  CloseAboveCap(now);
  for (auto next = connections_.begin(); next != connections_.end();) {
    const auto connection = (next++)->shared_from_this();
    connection->Tick(now);
  }
  if (std::exchange(accept_paused_, false)) Accept();
  if (!connections_.empty()) return ScheduleTick();
  if (server_.draining && drained_) std::exchange(drained_, nullptr)();
}

void Listener::AcceptPending() {
  for (;;) {
    error_code error;
    Socket socket(server_.loop);
    acceptor_.accept(socket, error);
    if (error) return;
    Adopt(std::move(socket));
  }
}

void Listener::Drain(std::function<void()> drained) {
  server_.draining = true;
  drained_ = std::move(drained);
  for (auto next = connections_.begin(); next != connections_.end();) {
    const auto connection = (next++)->shared_from_this();
    connection->Drain();
  }
  AcceptPending();
  error_code ignored;
  acceptor_.close(ignored);
  ScheduleTick();
}

}  // namespace ccr::proxy
