// Errors as the contract has them: a gRPC code, a message, and google.rpc details.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "broker/service/lease.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/support/status.h"

namespace ccr {

// INVALID_ARGUMENT with a BadRequest that names the field.
google::rpc::Status BadField(std::string_view field, std::string_view problem);
google::rpc::Status NotFound(std::string_view message);
google::rpc::Status Exhausted(std::string_view message);  // a limit of the broker's own is reached
google::rpc::Status PermissionDenied(std::string_view message);

// `answer` is a refusal. RetryInfo is rounded up to the next millisecond, so that who obeys it is not too early.
google::rpc::Status ToRpcStatus(const LeaseAnswer& answer);

// The same error as the status of a call, details in its trailer.
grpc::Status ToGrpcStatus(const google::rpc::Status& status);

}  // namespace ccr
