// The token that calls show the broker.
#pragma once

#include <grpcpp/support/client_interceptor.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "broker/base/secret.h"

namespace ccr::client {

// The only line of the file. InvalidArgument names the file: it cannot be read, is empty, or holds what no token holds.
absl::StatusOr<Secret> ReadTokenFile(const std::string& path);

// Adds "authorization: Bearer TOKEN" to every call, read from the file when the call starts. A file that cannot be read
// then adds nothing: the broker says that a token is needed.
std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface> TokenSender(std::string path);

}  // namespace ccr::client
