// Callers that are bound to pools.
#pragma once

#include <optional>
#include <string_view>

#include "broker/adapters/grpc/access.h"
#include "broker/service/broker_service.h"
#include "ccr/broker/v1/key_broker.pb.h"
#include "google/rpc/status.pb.h"

namespace ccr {

// PERMISSION_DENIED when a request names a pool, or a lease of a pool, that is not the caller's; else nothing. A lease
// that nobody knows is of no pool.
std::optional<google::rpc::Status> OutOfScope(const Caller& caller, const BrokerService& service,
                                              const broker::v1::LeaseRequest& request);
std::optional<google::rpc::Status> OutOfScope(const Caller& caller, const BrokerService& service,
                                              const broker::v1::ReportRequest& request);
std::optional<google::rpc::Status> OutOfScope(const Caller& caller, const BrokerService& service,
                                              const broker::v1::Hello& hello);
std::optional<google::rpc::Status> OutOfScope(const Caller& caller, const BrokerService& service,
                                              std::string_view lease_id);

// Takes out of the table what is not the caller's.
void Narrow(const Caller& caller, broker::v1::RoutingTable* table);

}  // namespace ccr
