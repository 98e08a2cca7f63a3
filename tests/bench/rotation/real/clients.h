// The clients of a scenario, over HTTP.
#pragma once

#include <cstdint>

#include "boost/asio/io_context.hpp"
#include "tests/bench/rotation/real/session.h"

namespace ccr::rotation {

// Sends each request of the trace at its time to the proxy on `port`, on a connection of its own, and writes down what
// its client got. Returns at once; `io` has nothing of it to do any more when the last one has ended.
void SendAll(boost::asio::io_context& io, Session* session, uint16_t port);

}  // namespace ccr::rotation
