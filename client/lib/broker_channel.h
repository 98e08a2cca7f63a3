// How every client reaches the broker.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "broker/base/tls_files.h"

namespace ccr::client {

// A channel of its own connection to `address`: "HOST:PORT", "[v6]:PORT" or "unix:PATH". Connects on first use and
// reconnects by itself, within 500 ms of the broker's return. Finds a dead peer within 15 s, by pings every 10 s; the
// broker must permit those. With `tls` (checked files), the server's certificate must name the host of `address`; a
// file that is replaced is in use within a minute.
std::shared_ptr<grpc::Channel> MakeBrokerChannel(const std::string& address, const TlsFiles& tls = {});

}  // namespace ccr::client
