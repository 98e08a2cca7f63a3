// How every client reaches the broker.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

namespace ccr::client {

// A channel of its own connection to `address`: "HOST:PORT", "[v6]:PORT" or "unix:PATH". Connects on first use and
// reconnects by itself, within 500 ms of the broker's return. Finds a dead peer within 15 s, by pings every 10 s; the
// broker must permit those.
std::shared_ptr<grpc::Channel> MakeBrokerChannel(const std::string& address);

}  // namespace ccr::client
