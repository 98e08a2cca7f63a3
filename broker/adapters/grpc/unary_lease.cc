#include "broker/adapters/grpc/unary_lease.h"

#include "broker/adapters/grpc/convert.h"
#include "broker/adapters/grpc/errors.h"
#include "broker/adapters/grpc/requests.h"
#include "broker/adapters/grpc/scope.h"

namespace ccr {

std::shared_ptr<UnaryLease> UnaryLease::Make(BrokerService* service) {
  std::shared_ptr<UnaryLease> call(new UnaryLease(service));
  call->self_ = call;
  return call;
}

grpc::ServerUnaryReactor* UnaryLease::Lease(BrokerService* service, const Caller& caller,
                                            const v1::LeaseRequest& request, v1::LeaseResponse* response) {
  const std::shared_ptr<UnaryLease> call = Make(service);
  call->lease_ = response;
  auto error = Check(request);
  if (!error) error = OutOfScope(caller, *service, request);
  if (error) {
    call->Finish(ToGrpcStatus(*error));
    return call.get();
  }
  const LeaseArgs args(request, core::kNoOwner);
  const auto answer = service->Lease(args.params(), [&](const core::LeaseId& id) { return call->BeginWait(id); });
  if (answer.has_value()) call->Answer(*answer);
  return call.get();
}

grpc::ServerUnaryReactor* UnaryLease::Report(BrokerService* service, const Caller& caller,
                                             const v1::ReportRequest& request, v1::ReportResponse* response) {
  const std::shared_ptr<UnaryLease> call = Make(service);
  call->report_ = response;
  auto error = Check(request);
  if (!error) error = OutOfScope(caller, *service, request);
  if (error) {
    call->Finish(ToGrpcStatus(*error));
    return call.get();
  }
  const ReportAnswer report = call->reported_ = service->Report(ToCore(request));
  Fill(report, response);
  if (!WantsNext(request, report)) {
    call->FinishReport();
    return call.get();
  }
  const LeaseArgs args(request.next(), core::kNoOwner);
  const auto next =
      service->LeaseNext(args.params(), report, [&](const core::LeaseId& id) { return call->BeginWait(id); });
  if (next.has_value()) call->Answer(*next);
  return call.get();
}

LeaseCallback UnaryLease::BeginWait(const core::LeaseId& id) {
  MutexLock lock(mutex_);
  waiting_ = id;
  return [self = shared_from_this()](const LeaseAnswer& answer) { self->EndWait(answer); };
}

void UnaryLease::EndWait(const LeaseAnswer& answer) {
  {
    MutexLock lock(mutex_);
    waiting_.reset();
  }
  Answer(answer);
}

void UnaryLease::Answer(const LeaseAnswer& answer) {
  if (answer.status.ok()) {
    MutexLock lock(mutex_);
    granted_ = answer.grant.id;
  }
  if (report_ != nullptr) {
    if (answer.status.ok()) {
      Fill(answer, report_->mutable_next());
    } else {
      *report_->mutable_next_error() = ToRpcStatus(answer);
    }
    return FinishReport();
  }
  if (!answer.status.ok()) return Finish(ToGrpcStatus(ToRpcStatus(answer)));
  Fill(answer, lease_);
  Finish(grpc::Status::OK);
}

void UnaryLease::FinishReport() {
  const bool waits = service_->AwaitCommit(reported_, [self = shared_from_this()] { self->Finish(grpc::Status::OK); });
  if (!waits) Finish(grpc::Status::OK);
}

void UnaryLease::OnCancel() {
  std::optional<core::LeaseId> waiting;
  {
    MutexLock lock(mutex_);
    cancelled_ = true;
    waiting = waiting_;
  }
  // Who takes the waiter out of its queue finishes the call, and nobody else: this, or EndWait.
  if (waiting.has_value() && service_->CancelWait(*waiting)) Finish(grpc::Status::CANCELLED);
}

void UnaryLease::OnDone() {
  std::optional<core::LeaseId> unheard;
  {
    MutexLock lock(mutex_);
    if (cancelled_) unheard = granted_;
  }
  if (unheard.has_value()) service_->Release(*unheard);
  self_.reset();
}

}  // namespace ccr
