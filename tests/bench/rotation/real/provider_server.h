// The provider of a scenario as an HTTP server on loopback.
#pragma once

#include <cstdint>
#include <string>

#include "boost/asio/io_context.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "tests/bench/rotation/real/session.h"

namespace ccr::rotation {

// Accepts OpenAI chat completions and GET of the list of models. A request names its number in the trace by the header
// x-bench-request, its key by the bearer token. Runs in `io`'s one thread; must outlive it.
class ProviderServer {
 public:
  ProviderServer(boost::asio::io_context& io, Session* session);
  uint16_t port() const { return acceptor_.local_endpoint().port(); }

 private:
  void Accept();

  boost::asio::io_context& io_;
  Session* const session_;
  boost::asio::ip::tcp::acceptor acceptor_;
};

}  // namespace ccr::rotation
