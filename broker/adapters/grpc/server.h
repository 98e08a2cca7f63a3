// The broker's gRPC server.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/adapters/grpc/event_hub.h"
#include "broker/base/tls_files.h"
#include "broker/config/identity.h"
#include "broker/config/key_sources.h"
#include "broker/service/broker_service.h"

namespace ccr {

// KeyBroker, KeyAdmin, grpc.health.v1 and reflection. Who may call what is Access's (access.h). Connections are
// bounded: Connections::kMaxPerOrigin of each user over unix sockets, and as many over TCP in all. Thread-safe.
class GrpcServer {
 public:
  struct Options {
    // Each "HOST:PORT" (port 0 = any) or "unix:PATH". A socket is for this user and root, mode 0600, or, where
    // identities name other users, mode 0666: each connection's peer is looked at in any case.
    std::vector<std::string> listen;
    std::string config_path;  // told by ListPools
    TlsFiles tls = {};        // of TCP; checked ones; a file that is replaced is in use within a minute
    std::vector<IdentityConfig> identities = {};
    // Has the configuration read again, on a thread of its own; outlives the server.
    std::function<void(ReloadDone)> reload = nullptr;
    // The sources of keys that fail now; outlives the server.
    std::function<std::vector<KeySources::Problem>()> source_problems = nullptr;
  };
  // Serves until Drain or destruction. `service` and `events` outlive it. InvalidArgument for a bad address,
  // Unavailable when it is taken, PermissionDenied when others can write to a socket's folder.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const Options& options, BrokerService* service,
                                                           EventHub* events);
  ~GrpcServer();
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  // Those really bound, in the form and order of Options::listen.
  const std::vector<std::string>& addresses() const;
  const std::string& address() const { return addresses().front(); }

  // Those of `identities` that are known by a token take the place of the ones that were (Access::SetTokens).
  void SetTokens(const std::vector<IdentityConfig>& identities);

  // Health turns to NOT_SERVING, streams are told to come back later, calls under way have until `deadline` from now.
  void Drain(absl::Duration deadline);

 private:
  class Impl;
  explicit GrpcServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace ccr
