// One HTTP/1.1 connection to a provider, on a socket without TLS.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/upstream/lazy_timer.h"
#include "proxy/upstream/read_buffer.h"
#include "proxy/upstream/silence.h"

namespace ccr::proxy {

// Whoever uses it hears of it, from the loop, until Close or the next SetUser; operations under way keep it alive, so
// they may end, unheard, after its user has. Belongs to one loop.
class PlainConnection : public std::enable_shared_from_this<PlainConnection> {
 public:
  class User {
   public:
    virtual ~User() = default;
    // The read has ended: with more in the buffer, or with an error (its end is one: eof).
    virtual void OnRead(PlainConnection& connection, const boost::system::error_code& error) = 0;
    virtual void OnWritable(PlainConnection& connection) = 0;
    // What Watch waits for has come, perhaps for a user before.
    virtual void OnReadable(PlainConnection& connection) = 0;
  };

  // `origin` is the "host[:port]" it leads to. The socket is connected.
  PlainConnection(boost::asio::ip::tcp::socket socket, std::string origin);

  void SetUser(User* user) { user_ = user; }
  // Whom the latest request was for; for logs.
  void SetProvider(std::string_view provider) { provider_.assign(provider); }
  const std::string& provider() const { return provider_; }
  void Close();  // the user hears nothing any more

  void Read();  // nothing when a read is under way already
  ReadBuffer& buffer() { return buffer_; }
  // Waits for more without taking it, so that IsSilent knows of it; nothing when that is under way already.
  void Watch();

  // Writes what goes without waiting. Error would_block: nothing went.
  template <typename Buffers>
  size_t Write(const Buffers& buffers, boost::system::error_code& error) {
    return socket_.write_some(buffers, error);
  }
  void WaitUntilWritable();

  // Whether nothing has come that no read has taken yet, not even its end. Not while a read is under way.
  bool IsSilent() { return proxy::IsSilent(socket_.native_handle()); }

  bool HasSurplus() { return proxy::HasSurplus(socket_.native_handle(), /*tls=*/false); }

  const std::string& origin() const { return origin_; }
  SteadyTime idle_since() const { return idle_since_; }
  void SetIdle(SteadyTime since);

 private:
  boost::asio::ip::tcp::socket socket_;
  const std::string origin_;
  std::string provider_;
  ReadBuffer buffer_;
  User* user_ = nullptr;
  bool reading_ = false;
  bool watching_ = false;
  SteadyTime idle_since_;
};

}  // namespace ccr::proxy
