// The broker's errors as absl::Status, their google.rpc details kept.
#pragma once

#include <grpcpp/support/status.h>

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "google/rpc/status.pb.h"

namespace ccr::client {

// Code and message are taken over; each detail becomes a payload under its type url.
absl::Status ToStatus(const grpc::Status& status);         // of an RPC
absl::Status ToStatus(const google::rpc::Status& status);  // inside a message

// Whether the system said that nobody listens there.
bool IsNobodyThere(const absl::Status& status);

// What gRPC says of a connection that could not be made, or ended, without its words around it.
std::string ConnectionProblem(const absl::Status& status);

// When to try again, where the broker said so (google.rpc.RetryInfo).
std::optional<absl::Duration> RetryAfter(const absl::Status& status);

}  // namespace ccr::client
