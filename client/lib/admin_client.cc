#include "client/lib/admin_client.h"

#include <grpcpp/client_context.h>

#include "client/lib/broker_status.h"

namespace ccr::client {

namespace {

template <typename Request, typename Response>
using Method = grpc::Status (v1::KeyAdmin::Stub::*)(grpc::ClientContext*, const Request&, Response*);

template <typename Request, typename Response>
absl::StatusOr<Response> Call(v1::KeyAdmin::Stub& stub, Method<Request, Response> method, const Request& request,
                              absl::Time deadline) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(deadline));
  Response response;
  const grpc::Status status = (stub.*method)(&context, request, &response);
  if (!status.ok()) return ToStatus(status);
  return response;
}

}  // namespace

AdminClient::AdminClient(const std::shared_ptr<grpc::Channel>& channel) : stub_(v1::KeyAdmin::NewStub(channel)) {}

absl::StatusOr<v1::ListPoolsResponse> AdminClient::ListPools(const std::string& pool, absl::Time deadline) {
  v1::ListPoolsRequest request;
  request.set_pool(pool);
  return Call(*stub_, &v1::KeyAdmin::Stub::ListPools, request, deadline);
}

absl::StatusOr<v1::BrokerStatus> AdminClient::GetStatus(absl::Time deadline) {
  return Call(*stub_, &v1::KeyAdmin::Stub::GetStatus, v1::GetStatusRequest(), deadline);
}

absl::StatusOr<v1::ReloadVerdict> AdminClient::Reload(absl::Time deadline) {
  return Call(*stub_, &v1::KeyAdmin::Stub::Reload, v1::ReloadRequest(), deadline);
}

absl::StatusOr<v1::SimulateResponse> AdminClient::Simulate(const v1::SimulateRequest& request, absl::Time deadline) {
  return Call(*stub_, &v1::KeyAdmin::Stub::Simulate, request, deadline);
}

absl::StatusOr<v1::KeyChange> AdminClient::DisableKey(const v1::DisableKeyRequest& request, absl::Time deadline) {
  return Call(*stub_, &v1::KeyAdmin::Stub::DisableKey, request, deadline);
}

absl::StatusOr<v1::KeyChange> AdminClient::EnableKey(const v1::KeyRef& key, absl::Time deadline) {
  return Call(*stub_, &v1::KeyAdmin::Stub::EnableKey, key, deadline);
}

absl::StatusOr<v1::KeyChange> AdminClient::ResetKey(const v1::KeyRef& key, absl::Time deadline) {
  return Call(*stub_, &v1::KeyAdmin::Stub::ResetKey, key, deadline);
}

absl::StatusOr<v1::AddKeysResponse> AdminClient::AddKeys(const v1::AddKeysRequest& request, absl::Time deadline) {
  return Call(*stub_, &v1::KeyAdmin::Stub::AddKeys, request, deadline);
}

absl::StatusOr<v1::RemoveKeyResponse> AdminClient::RemoveKey(const v1::KeyRef& key, absl::Time deadline) {
  return Call(*stub_, &v1::KeyAdmin::Stub::RemoveKey, key, deadline);
}

absl::StatusOr<v1::ChangePoolResponse> AdminClient::ChangePool(const v1::ChangePoolRequest& request,
                                                               absl::Time deadline) {
  return Call(*stub_, &v1::KeyAdmin::Stub::ChangePool, request, deadline);
}

absl::StatusOr<v1::ProbeKeyResponse> AdminClient::ProbeKey(const v1::KeyRef& key, absl::Time deadline) {
  return Call(*stub_, &v1::KeyAdmin::Stub::ProbeKey, key, deadline);
}

absl::StatusOr<v1::KeyHistory> AdminClient::GetKeyHistory(const v1::KeyRef& key, absl::Time deadline) {
  return Call(*stub_, &v1::KeyAdmin::Stub::GetKeyHistory, key, deadline);
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
