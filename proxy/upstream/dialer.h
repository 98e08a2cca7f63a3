// From a host's name to a connected socket.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "proxy/upstream/address_book.h"

namespace ccr::proxy {

// Connects to the first address of a host that answers. As RFC 8305 (Happy Eyeballs) has it, the next one is
// tried as well when one has failed or has been silent for 250 ms. Has no time limit of its own. Belongs to one loop.
class Dialer : public std::enable_shared_from_this<Dialer> {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using Done = std::function<void(const boost::system::error_code&, Socket)>;

  // `book` outlives Cancel, or the call of `done`.
  Dialer(boost::asio::io_context& loop, AddressBook& book) : loop_(loop), book_(book), timer_(loop) {}
  // Calls `done` once, not from inside. `host` may be an address.
  void Start(const std::string& host, const std::string& port, Done done);
  void Cancel();  // `done` is not called any more

 private:
  void Connect(Addresses addresses);
  void TryNext();
  void OnConnected(std::list<Socket>::iterator socket, const boost::system::error_code& error);
  void Finish(const boost::system::error_code& error, Socket socket);

  boost::asio::io_context& loop_;
  AddressBook& book_;
  Done done_;  // empty once called or cancelled
  boost::asio::steady_timer timer_;
  Addresses addresses_;
  size_t next_ = 0;  // of addresses_
  std::list<Socket> trying_;
};

}  // namespace ccr::proxy
