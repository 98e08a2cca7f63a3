// Requests of the contract, checked and made ready for the service.
#pragma once

#include <optional>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "broker/service/broker_service.h"
#include "ccr/broker/v1/key_admin.pb.h"
#include "ccr/broker/v1/key_broker.pb.h"
#include "google/rpc/status.pb.h"

namespace ccr {

// What is wrong with a request, or nothing. The limits are those of the contract.
std::optional<google::rpc::Status> Check(const broker::v1::LeaseRequest& request);
std::optional<google::rpc::Status> Check(const broker::v1::ReportRequest& request);
std::optional<google::rpc::Status> Check(const broker::v1::Hello& hello);
std::optional<google::rpc::Status> Check(const broker::v1::WatchRoutingRequest& request);
std::optional<google::rpc::Status> Check(const broker::v1::WatchEventsRequest& request);

// A lease request as the service takes it. Points into `request`, which must outlive it.
class LeaseArgs {
 public:
  LeaseArgs(const broker::v1::LeaseRequest& request, core::OwnerId owner);
  LeaseArgs(const LeaseArgs&) = delete;
  LeaseArgs& operator=(const LeaseArgs&) = delete;

  const LeaseParams& params() const { return params_; }

 private:
  absl::InlinedVector<std::string_view, 8> exclude_;
  LeaseParams params_;
};

// `request` has been checked.
core::Report ToCore(const broker::v1::ReportRequest& request);

// `id` is that of `request`. False when it changed nothing.
bool ApplyProgress(BrokerService* service, const core::LeaseId& id, const broker::v1::ProgressRequest& request);

// Whether the answer to a report calls for the lease that came with it.
bool WantsNext(const broker::v1::ReportRequest& request, const ReportAnswer& answer);

}  // namespace ccr
