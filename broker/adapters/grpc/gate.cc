#include "broker/adapters/grpc/gate.h"

#include <string>

#include "absl/strings/match.h"
#include "broker/adapters/grpc/errors.h"
#include "broker/base/absl_text.h"
#include "broker/base/stranger_log.h"

namespace ccr {
namespace {

constexpr char kBearer[] = "bearer ";
constexpr char kOwnCalls[] = "/ccr.broker.v1.";

std::string ToString(grpc::string_ref text) {
  return {text.data(), text.size()};
}

std::optional<std::string> TokenOf(const grpc::ServerContextBase& context) {
  const auto header = context.client_metadata().find("authorization");
  if (header == context.client_metadata().end()) return std::nullopt;
  const std::string value = ToString(header->second);
  if (!absl::StartsWithIgnoreCase(value, kBearer)) return std::nullopt;
  return value.substr(sizeof(kBearer) - 1);
}

Proof ProofOf(const grpc::ServerContextBase& context, const Connections& connections) {
  Proof proof;
  proof.token = TokenOf(context);
  const std::optional<Connections::Origin> origin = connections.Find(context.peer());
  if (origin && *origin != Connections::kNetwork) proof.uid = static_cast<uid_t>(*origin);
  const auto peer = context.auth_context();
  if (peer == nullptr || !peer->IsPeerAuthenticated()) return proof;
  proof.verified = true;
  for (const char* property : {"x509_common_name", "x509_subject_alternative_name"}) {
    for (const grpc::string_ref& name : peer->FindPropertyValues(property)) {
      proof.certificate_names.push_back(ToString(name));
    }
  }
  return proof;
}

grpc::Status Refusal(const absl::Status& status, std::string_view call) {
  LogStranger("call_refused", {{"call", call}, {"why", ToStd(status.message())}});
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

class CancelRefused final : public grpc::experimental::Interceptor {
 public:
  CancelRefused(const Gate* gate, grpc::experimental::ServerRpcInfo* info) : gate_(gate), info_(info) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    using grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA) &&
        !gate_->Admit(*info_->server_context(), info_->method()).status.ok()) {
      info_->server_context()->TryCancel();
    }
    methods->Proceed();
  }

 private:
  const Gate* const gate_;
  grpc::experimental::ServerRpcInfo* const info_;
};

class CancelRefusedFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit CancelRefusedFactory(const Gate* gate) : gate_(gate) {}

  // Our own calls pay nothing for it.
  grpc::experimental::Interceptor* CreateServerInterceptor(grpc::experimental::ServerRpcInfo* info) override {
    if (absl::StartsWith(info->method(), kOwnCalls)) return nullptr;
    return new CancelRefused(gate_, info);
  }

 private:
  const Gate* const gate_;
};

}  // namespace

Admission Gate::Admit(const grpc::ServerContextBase& context, std::string_view call) const {
  if (Access::IsOpen(call)) return {};
  absl::StatusOr<std::shared_ptr<const Caller>> caller = access_->Identify(ProofOf(context, *connections_));
  if (!caller.ok()) return {Refusal(caller.status(), call), nullptr};
  if (const absl::Status allowed = Access::Authorize(**caller, call); !allowed.ok()) {
    return {Refusal(allowed, call), nullptr};
  }
  return {grpc::Status::OK, *std::move(caller)};
}

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> Gate::Interceptor() const {
  return std::make_unique<CancelRefusedFactory>(this);
}

}  // namespace ccr
