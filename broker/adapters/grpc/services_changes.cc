// What KeyAdmin changes, and what it tells of single keys.
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/adapters/grpc/convert.h"
#include "broker/adapters/grpc/errors.h"
#include "broker/adapters/grpc/key_changes.h"
#include "broker/adapters/grpc/services.h"
#include "broker/base/log.h"

namespace ccr {
namespace {

grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

}  // namespace

// `work` and the response live until the call is finished, which is the last thing done.
template <typename Request>
grpc::ServerUnaryReactor* KeyAdminService::Change(grpc::CallbackServerContext* context, std::string_view call,
                                                  const Request& request,
                                                  std::function<absl::Status(const Caller& by)> work) {
  const Admission admission = gate_->Admit(*context, call);
  if (!admission.status.ok()) return Finish(context, admission.status);
  if (const auto error = Check(request)) return Finish(context, ToGrpcStatus(*error));
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const bool taken = changes_.Take(
      [reactor, caller = admission.caller, work = std::move(work)] { reactor->Finish(ToGrpc(work(*caller))); });
  if (!taken) reactor->Finish(ToGrpcStatus(Exhausted(absl::StrCat(kMaxChanges, " changes wait already; try again"))));
  return reactor;
}

void KeyAdminService::Tell(std::string_view change, const Caller& by, std::string_view pool, std::string_view key,
                           const absl::Status& status) {
  const bool made = status.ok();
  // Who names no key may have written the key itself.
  const bool unknown = absl::IsNotFound(status);
  Log(made ? LogLevel::kInfo : LogLevel::kWarn, made ? "changed_by_people" : "change_refused",
      {{"change", std::string(change)},
       {"by", by.name()},
       {"provider", unknown ? "(unknown)" : std::string(pool)},
       {"key", unknown ? "(unknown)" : std::string(key)},
       {"why", unknown ? "no such provider or key" : std::string(status.message())}});
}

grpc::ServerUnaryReactor* KeyAdminService::DisableKey(grpc::CallbackServerContext* context,
                                                      const v1::DisableKeyRequest* request, v1::KeyChange* response) {
  return Change(context, "/ccr.broker.v1.KeyAdmin/DisableKey", *request, [=, this](const Caller& by) {
    const absl::Duration time = request->for_ms() == 0 ? absl::InfiniteDuration() : FromMilliseconds(request->for_ms());
    const absl::StatusOr<PoolStatus> status = service_->DisableKey(ToCore(request->key()), time);
    Tell("disable", by, request->key().pool(), request->key().key(), status.status());
    if (status.ok()) Fill(*status, response);
    return status.status();
  });
}

grpc::ServerUnaryReactor* KeyAdminService::EnableKey(grpc::CallbackServerContext* context, const v1::KeyRef* request,
                                                     v1::KeyChange* response) {
  return Change(context, "/ccr.broker.v1.KeyAdmin/EnableKey", *request, [=, this](const Caller& by) {
    const absl::StatusOr<PoolStatus> status = service_->EnableKey(ToCore(*request));
    Tell("enable", by, request->pool(), request->key(), status.status());
    if (status.ok()) Fill(*status, response);
    return status.status();
  });
}

grpc::ServerUnaryReactor* KeyAdminService::ResetKey(grpc::CallbackServerContext* context, const v1::KeyRef* request,
                                                    v1::KeyChange* response) {
  return Change(context, "/ccr.broker.v1.KeyAdmin/ResetKey", *request, [=, this](const Caller& by) {
    const absl::StatusOr<PoolStatus> status = service_->ResetKey(ToCore(*request));
    Tell("reset", by, request->pool(), request->key(), status.status());
    if (status.ok()) Fill(*status, response);
    return status.status();
  });
}

grpc::ServerUnaryReactor* KeyAdminService::ProbeKey(grpc::CallbackServerContext* context, const v1::KeyRef* request,
                                                    v1::ProbeKeyResponse* response) {
  const Admission admission = gate_->Admit(*context, "/ccr.broker.v1.KeyAdmin/ProbeKey");
  if (!admission.status.ok()) return Finish(context, admission.status);
  if (const auto error = Check(*request)) return Finish(context, ToGrpcStatus(*error));
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::Status started = service_->ProbeKey(ToCore(*request), [=, this](const ManagedPool::Probed& probed) {
    Fill(probed, response);
    if (const absl::StatusOr<PoolStatus> status = service_->GetKey(ToCore(*request)); status.ok()) {
      v1::KeyChange change;
      Fill(*status, &change);
      response->set_provider(change.provider());
      response->mutable_key()->Swap(change.mutable_key());
    }
    reactor->Finish(grpc::Status::OK);
  });
  Tell("test", *admission.caller, request->pool(), request->key(), started);
  if (!started.ok()) reactor->Finish(ToGrpc(started));
  return reactor;
}

grpc::ServerUnaryReactor* KeyAdminService::AddKeys(grpc::CallbackServerContext* context,
                                                   const v1::AddKeysRequest* request, v1::AddKeysResponse* response) {
  return Change(context, "/ccr.broker.v1.KeyAdmin/AddKeys", *request, [=, this](const Caller& by) {
    // The request is the call's own, and holds keys: they are wiped.
    auto keys = TakeKeys(const_cast<v1::AddKeysRequest*>(request));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    const auto added = service_->AddKeys(request->pool(), std::move(keys), request->dry_run());
    if (!request->dry_run())
      Tell("add", by, request->pool(), absl::StrCat(request->keys_size(), " keys"), added.status());
    if (!added.ok()) return added.status();
    Fill(*added, response);
    if (const std::optional<PoolStatus> pool = service_->GetPool(request->pool())) {
      response->set_provider(pool->info->pool);
      response->set_total_keys(static_cast<uint32_t>(pool->snapshot.keys.size()));
    }
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* KeyAdminService::RemoveKey(grpc::CallbackServerContext* context, const v1::KeyRef* request,
                                                     v1::RemoveKeyResponse* response) {
  return Change(context, "/ccr.broker.v1.KeyAdmin/RemoveKey", *request, [=, this](const Caller& by) {
    const absl::Status removed = service_->RemoveKey(ToCore(*request));
    Tell("remove", by, request->pool(), request->key(), removed);
    if (const std::optional<PoolStatus> pool = service_->GetPool(request->pool())) {
      response->set_provider(pool->info->pool);
      response->set_total_keys(static_cast<uint32_t>(pool->snapshot.keys.size()));
    }
    return removed;
  });
}

grpc::ServerUnaryReactor* KeyAdminService::ChangePool(grpc::CallbackServerContext* context,
                                                      const v1::ChangePoolRequest* request,
                                                      v1::ChangePoolResponse* response) {
  return Change(context, "/ccr.broker.v1.KeyAdmin/ChangePool", *request, [=, this](const Caller& by) {
    const absl::StatusOr<PoolStatus> status = service_->ChangePool(request->pool(), ToCore(*request));
    Tell("set", by, request->pool(), "", status.status());
    if (!status.ok()) return status.status();
    Fill(*status, response->mutable_pool());
    response->mutable_pool()->clear_keys();
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* KeyAdminService::GetKeyHistory(grpc::CallbackServerContext* context,
                                                         const v1::KeyRef* request, v1::KeyHistory* response) {
  const Admission admission = gate_->Admit(*context, "/ccr.broker.v1.KeyAdmin/GetKeyHistory");
  if (!admission.status.ok()) return Finish(context, admission.status);
  if (const auto error = Check(*request)) return Finish(context, ToGrpcStatus(*error));
  const absl::StatusOr<PoolStatus> status = service_->GetKey(ToCore(*request));
  if (!status.ok()) return Finish(context, ToGrpc(status.status()));
  const core::KeySpec& key = status->info->keys[status->snapshot.keys[0].key];
  response->set_provider(status->info->pool);
  response->set_name(key.name);
  response->set_fingerprint(key.fingerprint);
  for (const auto& event : events_->History(status->info->pool, key.fingerprint, kMaxHistory)) {
    *response->add_events() = *event;
  }
  return Finish(context, grpc::Status::OK);
}

}  // namespace ccr
