#include "broker/adapters/grpc/services.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/adapters/grpc/convert.h"
#include "broker/adapters/grpc/errors.h"
#include "broker/adapters/grpc/requests.h"
#include "broker/adapters/grpc/scope.h"
#include "broker/adapters/grpc/simulations.h"
#include "broker/adapters/grpc/unary_lease.h"
#include "broker/base/log.h"

namespace ccr {
namespace {

grpc::Status TooMany(int watches) {
  return ToGrpcStatus(Exhausted(absl::StrCat(watches, " clients watch already; try again when one has left")));
}

}  // namespace

grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* context, const grpc::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

grpc::ServerUnaryReactor* KeyBrokerService::Lease(grpc::CallbackServerContext* context, const v1::LeaseRequest* request,
                                                  v1::LeaseResponse* response) {
  const Admission admission = gate_->Admit(*context, "/ccr.broker.v1.KeyBroker/Lease");
  if (!admission.status.ok()) return Finish(context, admission.status);
  return UnaryLease::Lease(service_, *admission.caller, *request, response);
}

grpc::ServerUnaryReactor* KeyBrokerService::Report(grpc::CallbackServerContext* context,
                                                   const v1::ReportRequest* request, v1::ReportResponse* response) {
  const Admission admission = gate_->Admit(*context, "/ccr.broker.v1.KeyBroker/Report");
  if (!admission.status.ok()) return Finish(context, admission.status);
  return UnaryLease::Report(service_, *admission.caller, *request, response);
}

grpc::ServerUnaryReactor* KeyBrokerService::Progress(grpc::CallbackServerContext* context,
                                                     const v1::ProgressRequest* request,
                                                     v1::ProgressResponse* response) {
  const Admission admission = gate_->Admit(*context, "/ccr.broker.v1.KeyBroker/Progress");
  if (!admission.status.ok()) return Finish(context, admission.status);
  const std::optional<core::LeaseId> id = ParseLeaseId(request->lease_id());
  if (!id.has_value()) return Finish(context, ToGrpcStatus(BadField("lease_id", "not an id of a lease")));
  if (const auto foreign = OutOfScope(*admission.caller, *service_, request->lease_id())) {
    return Finish(context, ToGrpcStatus(*foreign));
  }
  response->set_applied(ApplyProgress(service_, *id, *request));
  return Finish(context, grpc::Status::OK);
}

grpc::ServerUnaryReactor* KeyBrokerService::Renew(grpc::CallbackServerContext* context, const v1::RenewRequest* request,
                                                  v1::RenewResponse* response) {
  const Admission admission = gate_->Admit(*context, "/ccr.broker.v1.KeyBroker/Renew");
  if (!admission.status.ok()) return Finish(context, admission.status);
  const std::optional<core::LeaseId> id = ParseLeaseId(request->lease_id());
  if (!id.has_value()) return Finish(context, ToGrpcStatus(BadField("lease_id", "not an id of a lease")));
  if (const auto foreign = OutOfScope(*admission.caller, *service_, request->lease_id())) {
    return Finish(context, ToGrpcStatus(*foreign));
  }
  const std::optional<absl::Duration> ttl = service_->Renew(*id);
  if (!ttl.has_value()) return Finish(context, ToGrpcStatus(NotFound("the lease has ended")));
  response->set_ttl_ms(absl::ToInt64Milliseconds(*ttl));
  return Finish(context, grpc::Status::OK);
}

grpc::ServerBidiReactor<v1::LeaseStreamRequest, v1::LeaseStreamResponse>* KeyBrokerService::LeaseStream(
    grpc::CallbackServerContext* context) {
  Admission admission = gate_->Admit(*context, "/ccr.broker.v1.KeyBroker/LeaseStream");
  if (!admission.status.ok()) {
    return new Refused<grpc::ServerBidiReactor<v1::LeaseStreamRequest, v1::LeaseStreamResponse>>(admission.status);
  }
  return ccr::LeaseStream::Start(service_, &streams_, std::move(admission.caller));
}

grpc::ServerWriteReactor<v1::RoutingTable>* KeyBrokerService::WatchRouting(grpc::CallbackServerContext* context,
                                                                           const v1::WatchRoutingRequest* request) {
  using Refusal = Refused<grpc::ServerWriteReactor<v1::RoutingTable>>;
  Admission admission = gate_->Admit(*context, "/ccr.broker.v1.KeyBroker/WatchRouting");
  if (!admission.status.ok()) return new Refusal(admission.status);
  if (const auto error = Check(*request)) return new Refusal(ToGrpcStatus(*error));
  WatchSlots::Slot slot = watches_.Take();
  if (slot == nullptr) return new Refusal(TooMany(kMaxWatches));
  Log(LogLevel::kDebug, "routing_watched", {{"client", request->client()}});
  return new RoutingWatch(std::move(slot), &service_->routing(), std::move(admission.caller));
}

grpc::ServerUnaryReactor* KeyAdminService::ListPools(grpc::CallbackServerContext* context,
                                                     const v1::ListPoolsRequest* request,
                                                     v1::ListPoolsResponse* response) {
  const Admission admission = gate_->Admit(*context, "/ccr.broker.v1.KeyAdmin/ListPools");
  if (!admission.status.ok()) return Finish(context, admission.status);
  if (request->pool().empty()) {
    for (const PoolStatus& pool : service_->ListPools()) Fill(pool, response->add_pools());
  } else {
    const std::optional<PoolStatus> pool = service_->GetPool(request->pool());
    if (!pool.has_value())
      return Finish(context, ToGrpcStatus(NotFound(absl::StrCat("no pool '", request->pool(), "'"))));
    Fill(*pool, response->add_pools());
  }
  response->set_broker_version(CCR_VERSION);
  SetTime(service_->started_at(), response->mutable_started_at());
  SetTime(service_->Now(), response->mutable_now());
  response->set_config_path(config_path_);
  response->set_streams(service_->streams());
  return Finish(context, grpc::Status::OK);
}

grpc::ServerWriteReactor<v1::Event>* KeyAdminService::WatchEvents(grpc::CallbackServerContext* context,
                                                                  const v1::WatchEventsRequest* request) {
  using Refusal = Refused<grpc::ServerWriteReactor<v1::Event>>;
  const Admission admission = gate_->Admit(*context, "/ccr.broker.v1.KeyAdmin/WatchEvents");
  if (!admission.status.ok()) return new Refusal(admission.status);
  if (const auto error = Check(*request)) return new Refusal(ToGrpcStatus(*error));
  WatchSlots::Slot slot = watches_.Take();
  if (slot == nullptr) return new Refusal(TooMany(kMaxWatches));
  return new EventWatch(std::move(slot), *request, events_);
}

grpc::ServerUnaryReactor* KeyAdminService::GetStatus(grpc::CallbackServerContext* context,
                                                     const v1::GetStatusRequest* /*request*/,
                                                     v1::BrokerStatus* response) {
  const Admission admission = gate_->Admit(*context, "/ccr.broker.v1.KeyAdmin/GetStatus");
  if (!admission.status.ok()) return Finish(context, admission.status);
  response->set_version(CCR_VERSION);
  SetTime(service_->started_at(), response->mutable_started_at());
  SetTime(service_->Now(), response->mutable_now());
  response->set_config_path(config_path_);
  response->set_streams(service_->streams());
  if (const std::optional<ReloadReport> last = service_->last_reload()) Fill(*last, response->mutable_last_reload());
  for (std::string& problem : service_->change_problems()) {
    if (response->change_problems_size() == kMaxSourceProblems) break;
    response->add_change_problems(std::move(problem));
  }
  if (source_problems_ != nullptr) {
    for (const KeySources::Problem& problem : source_problems_()) {
      if (response->key_source_problems_size() == kMaxSourceProblems) break;
      Fill(problem, response->add_key_source_problems());
    }
  }
  return Finish(context, grpc::Status::OK);
}

grpc::ServerUnaryReactor* KeyAdminService::Reload(grpc::CallbackServerContext* context,
                                                  const v1::ReloadRequest* /*request*/, v1::ReloadVerdict* response) {
  const Admission admission = gate_->Admit(*context, "/ccr.broker.v1.KeyAdmin/Reload");
  if (!admission.status.ok()) return Finish(context, admission.status);
  if (reload_ == nullptr) return Finish(context, {grpc::StatusCode::UNIMPLEMENTED, "this broker reads no file"});
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reload_([reactor, response](const ReloadReport& report) {
    Fill(report, response);
    reactor->Finish(grpc::Status::OK);
  });
  return reactor;
}

grpc::ServerUnaryReactor* KeyAdminService::Simulate(grpc::CallbackServerContext* context,
                                                    const v1::SimulateRequest* request,
                                                    v1::SimulateResponse* response) {
  const Admission admission = gate_->Admit(*context, "/ccr.broker.v1.KeyAdmin/Simulate");
  if (!admission.status.ok()) return Finish(context, admission.status);
  if (const auto error = Check(*request)) return Finish(context, ToGrpcStatus(*error));
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  service_->Simulate(ToCore(*request), [reactor, response](const absl::StatusOr<BrokerService::Simulations>& result) {
    if (!result.ok())
      return reactor->Finish(
          {static_cast<grpc::StatusCode>(result.status().code()), std::string(result.status().message())});
    Fill(*result, response);
    reactor->Finish(grpc::Status::OK);
  });
  return reactor;
}

}  // namespace ccr
