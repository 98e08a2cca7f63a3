// Accepts connections on one loop.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/base/address.h"
#include "proxy/http/connection.h"
#include "proxy/http/server.h"

namespace ccr::proxy {

using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

// One listening socket for each of `loops`, all on one address: the kernel spreads connections over them. Port 0 picks
// a free one. Unavailable naming the address when somebody listens there already, another proxy of this user too.
absl::StatusOr<std::vector<Acceptor>> Listen(const HostPort& address,
                                             const std::vector<boost::asio::io_context*>& loops);
HostPort BoundAddress(const Acceptor& acceptor);

// Owns the connections of one worker. All calls on its loop.
//
// No more connections than the routing table and Server::clients allow: one more takes the place of the one that has
// waited longest for a request, or where only other workers have such, of one of theirs, which they close at their next
// tick. When none waits it is answered 503, up to so many at a time, and dropped above that.
class Listener {
 public:
  static constexpr std::chrono::milliseconds kTick{100};

  Listener(Server& server, Acceptor acceptor);
  ~Listener();  // closes what is open
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  void Start();
  // Takes what has already connected, then no more; idle connections are closed and the others after their present
  // answer. `drained` is called when none is left.
  void Drain(std::function<void()> drained);

 private:
  void Accept();
  void OnAccepted(const boost::system::error_code& error, Socket socket);
  void Adopt(Socket socket);
  void AcceptWhenSomebodyComes();
  int64_t Cap() const;
  bool CloseOldestIdle();
  bool OthersMakeRoom(int64_t above);  // for one more than those `above` the cap
  void CloseAboveCap(absl::Time now);
  void AcceptPending();
  void ScheduleTick();
  void OnTick();

  Server& server_;
  Acceptor acceptor_;
  boost::asio::steady_timer timer_;
  bool ticking_ = false;
  bool accept_paused_ = false;  // out of file descriptors; until the next tick
  std::function<void()> drained_;
  boost::intrusive::list<Connection, boost::intrusive::constant_time_size<false>> connections_;
};

}  // namespace ccr::proxy
