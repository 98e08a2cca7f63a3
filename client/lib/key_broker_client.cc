#include "client/lib/key_broker_client.h"

#include <grpcpp/client_context.h>

#include <utility>

#include "absl/time/clock.h"
#include "client/lib/broker_status.h"

namespace ccr::client {
namespace {

template <typename Response, typename Call>
absl::StatusOr<Response> Unary(absl::Time deadline, Call call) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(deadline));
  Response response;
  const grpc::Status status = call(&context, &response);
  if (!status.ok()) return ToStatus(status);
  return response;
}

}  // namespace

KeyBrokerClient::KeyBrokerClient(const std::shared_ptr<grpc::Channel>& channel)
    : stub_(v1::KeyBroker::NewStub(channel)) {}

absl::StatusOr<v1::LeaseResponse> KeyBrokerClient::Lease(const v1::LeaseRequest& request, absl::Time deadline) {
  return Unary<v1::LeaseResponse>(
      deadline, [&](auto* context, auto* response) { return stub_->Lease(context, request, response); });
}

absl::StatusOr<v1::ReportResponse> KeyBrokerClient::Report(const v1::ReportRequest& request, absl::Time deadline) {
  return Unary<v1::ReportResponse>(
      deadline, [&](auto* context, auto* response) { return stub_->Report(context, request, response); });
}

absl::StatusOr<v1::ProgressResponse> KeyBrokerClient::Progress(const v1::ProgressRequest& request,
                                                               absl::Time deadline) {
  return Unary<v1::ProgressResponse>(
      deadline, [&](auto* context, auto* response) { return stub_->Progress(context, request, response); });
}

absl::StatusOr<v1::RenewResponse> KeyBrokerClient::Renew(const v1::RenewRequest& request, absl::Time deadline) {
  return Unary<v1::RenewResponse>(
      deadline, [&](auto* context, auto* response) { return stub_->Renew(context, request, response); });
}

absl::StatusOr<LeaseGuard> KeyBrokerClient::Acquire(const v1::LeaseRequest& request, absl::Time deadline) {
  auto lease = Lease(request, deadline);
  if (!lease.ok()) return lease.status();
  return LeaseGuard(std::move(*lease), [this](const v1::ReportRequest& report) {
    Report(report, absl::Now() + kReportTimeout).IgnoreError();
  });
}

}  // namespace ccr::client
