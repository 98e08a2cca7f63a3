// Who is let in.
#pragma once

#include <optional>
#include <string_view>

#include "proxy/core/routing_table.h"
#include "proxy/core/target.h"
#include "proxy/request/own_answer.h"
#include "proxy/request/request.h"

namespace ccr::proxy {

struct Caller {
  std::string_view listen_host;  // what the proxy listens on
  bool loopback = false;         // the peer's address is one of this machine's loopback addresses
};

// Judges one request head, in this order: a peer from elsewhere while no client token is configured, a foreign Host (of
// an absolute-form target the host there), a foreign Origin, a page of another site -> 403; no or a wrong client token
// -> 401, but for `/` and `/health`. Nothing when it may pass. Tokens are compared by their SHA-256, in constant time.
std::optional<OwnAnswer> RefuseEntry(const Request& request, const Target& target, const RoutingTable& table,
                                     const Caller& caller);

}  // namespace ccr::proxy
