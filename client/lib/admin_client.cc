#include "client/lib/admin_client.h"

#include <grpcpp/client_context.h>

#include "client/lib/broker_status.h"

namespace ccr::client {

AdminClient::AdminClient(const std::shared_ptr<grpc::Channel>& channel) : stub_(v1::KeyAdmin::NewStub(channel)) {}

absl::StatusOr<v1::ListPoolsResponse> AdminClient::ListPools(const std::string& pool, absl::Time deadline) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(deadline));
  v1::ListPoolsRequest request;
  request.set_pool(pool);
  v1::ListPoolsResponse response;
  const grpc::Status status = stub_->ListPools(&context, request, &response);
  if (!status.ok()) return ToStatus(status);
  return response;
}

absl::StatusOr<v1::BrokerStatus> AdminClient::GetStatus(absl::Time deadline) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(deadline));
  v1::BrokerStatus response;
  const grpc::Status status = stub_->GetStatus(&context, v1::GetStatusRequest(), &response);
  if (!status.ok()) return ToStatus(status);
  return response;
}

absl::StatusOr<v1::ReloadVerdict> AdminClient::Reload(absl::Time deadline) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(deadline));
  v1::ReloadVerdict response;
  const grpc::Status status = stub_->Reload(&context, v1::ReloadRequest(), &response);
  if (!status.ok()) return ToStatus(status);
  return response;
}

absl::StatusOr<v1::SimulateResponse> AdminClient::Simulate(const v1::SimulateRequest& request, absl::Time deadline) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(deadline));
  v1::SimulateResponse response;
  const grpc::Status status = stub_->Simulate(&context, request, &response);
  if (!status.ok()) return ToStatus(status);
  return response;
}

absl::Status AdminClient::WatchEvents(const v1::WatchEventsRequest& request, absl::Time deadline,
                                      const std::function<bool(const v1::Event&)>& on_event) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(deadline));
  const auto reader = stub_->WatchEvents(&context, request);
  v1::Event event;
  while (reader->Read(&event)) {
    if (on_event(event)) continue;
    context.TryCancel();
    reader->Finish();
    return absl::OkStatus();
  }
  const absl::Status end = ToStatus(reader->Finish());
  return end.ok() ? absl::UnavailableError("the broker ended the event stream") : end;
}

}  // namespace ccr::client
