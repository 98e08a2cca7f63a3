// The contract's messages to the proxy's values and back.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "ccr/broker/v1/key_broker.pb.h"
#include "proxy/ports/lease_source.h"

namespace ccr::proxy {

namespace v1 = ::ccr::broker::v1;

std::shared_ptr<const RoutingTable> ToRoutingTable(const v1::RoutingTable& message);

v1::LeaseRequest ToMessage(const LeaseRequest& request);
v1::ReportRequest ToMessage(const ReportRequest& request);
v1::ProgressRequest ToMessage(ProgressRequest request);

// Moves the key out of the message.
LeaseAnswer ToLeaseAnswer(absl::StatusOr<v1::LeaseResponse> response);
// An error becomes advice to relay, with outcome "unknown".
ReportAnswer ToReportAnswer(absl::StatusOr<v1::ReportResponse> response);

}  // namespace ccr::proxy
