// Which broker a client speaks with.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "broker/base/tls_files.h"

namespace ccr::client {

// Where the broker is, how to speak with it, and what to show it.
struct BrokerTarget {
  std::string address;          // "HOST:PORT", "[v6]:PORT" or "unix:PATH"
  TlsFiles tls = {};            // not over a unix socket
  std::string token_file = {};  // a token in one line; empty = none
};

// OK when a key may be asked for there. InvalidArgument for an address, TLS files or a token file that cannot be used;
// PermissionDenied when a stranger could be behind the socket (CheckSocketPath), or it is another user's.
absl::Status CheckBrokerTarget(const BrokerTarget& target);

}  // namespace ccr::client
