// The broker's gRPC server.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/adapters/grpc/event_hub.h"
#include "broker/base/tls_files.h"
#include "broker/service/broker_service.h"

namespace ccr {

// KeyBroker, KeyAdmin, grpc.health.v1 and reflection on one address. Thread-safe.
class GrpcServer {
 public:
  struct Options {
    std::string listen;       // "HOST:PORT" (port 0 = any) or "unix:PATH"; a socket file nobody listens on is replaced
    std::string config_path;  // told by ListPools
    TlsFiles tls = {};        // checked ones; a file that is replaced is in use within a minute
  };
  // Serves until Drain or destruction. `service` and `events` outlive it. InvalidArgument for a bad address,
  // Unavailable when it is taken.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const Options& options, BrokerService* service,
                                                           EventHub* events);
  ~GrpcServer();
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  const std::string& address() const;  // the one really bound, in the form of Options::listen

  // Health turns to NOT_SERVING, streams are told to come back later, calls under way have until `deadline` from now.
  void Drain(absl::Duration deadline);

 private:
  class Impl;
  explicit GrpcServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace ccr
