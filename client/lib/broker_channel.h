// How every client reaches the broker.
#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "client/lib/broker_target.h"

namespace ccr::client {

// A channel of its own connection to a checked target. Connects on first use and reconnects by itself, within 500 ms of
// the broker's return. Finds a dead peer within 15 s, by pings every 10 s; the broker must permit those. With TLS, the
// server's certificate must name the host of the address. A TLS file that is replaced is in use within a minute, a
// token file with the next call.
std::shared_ptr<grpc::Channel> MakeBrokerChannel(const BrokerTarget& target);

}  // namespace ccr::client
