// The one place that decides whether a call may be made.
#pragma once

#include <memory>
#include <string_view>

#include "broker/adapters/grpc/access.h"
#include "broker/adapters/grpc/connections.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_interceptor.h"
#include "grpcpp/support/status.h"

namespace ccr {

// The answer to who calls: OK with the caller, or why the call is refused, before anything of it was looked at.
struct Admission {
  grpc::Status status;
  std::shared_ptr<const Caller> caller;
};

// Thread-safe. Every call of every service passes it: those of KeyBroker and KeyAdmin ask it first, all others (health,
// reflection) are cancelled by its interceptor when they may not be made.
class Gate {
 public:
  Gate(const Access* access, const Connections* connections) : access_(access), connections_(connections) {}

  // `call` is "/package.Service/Method".
  Admission Admit(const grpc::ServerContextBase& context, std::string_view call) const;

  std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> Interceptor() const;

 private:
  const Access* const access_;
  const Connections* const connections_;
};

// A reactor of a call that is refused. Deletes itself.
template <typename Reactor>
class Refused final : public Reactor {
 public:
  explicit Refused(const grpc::Status& status) { this->Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace ccr
