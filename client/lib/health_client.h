// grpc.health.v1: whether a server says that it serves.
#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace ccr::client {

// Ok when the server as a whole is SERVING; Unavailable when it is not, or when nobody answers before the deadline.
absl::Status CheckHealth(const std::shared_ptr<grpc::Channel>& channel, absl::Time deadline);

}  // namespace ccr::client
