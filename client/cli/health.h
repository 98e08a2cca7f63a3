// `ccr health`: whether broker and proxy can do their work, for scripts and the health checks of containers.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "client/cli/service/service.h"
#include "client/cli/terminal.h"

namespace ccr::cli {

// Asks GET /health within 2 s. Unavailable says why it is not well. `address` is "HOST:PORT".
absl::Status ProxyHealth(const std::string& address);

// Whether a ccr-proxy, well or not, answers there.
bool IsProxy(const std::string& address);

// Asks grpc.health.v1 within 2 s.
absl::Status BrokerHealth(const BrokerTarget& broker);

// Both of the running service, or as configured; or only those that are named: options.broker, `proxy`. One line on
// `terminal.out`, and on `terminal.err` why a broker that is well goes on with an old configuration. 0: all are well.
// 1: one is not.
int Health(const ServiceOptions& options, const std::string& proxy, const Terminal& terminal);

}  // namespace ccr::cli
