// Simulations of the contract, checked and as the service has them.
#pragma once

#include <optional>

#include "broker/service/broker_service.h"
#include "ccr/broker/v1/key_admin.pb.h"
#include "google/rpc/status.pb.h"

namespace ccr {

// What is wrong with the request, or nothing.
std::optional<google::rpc::Status> Check(const broker::v1::SimulateRequest& request);

// `request` has been checked.
BrokerService::SimulationParams ToCore(const broker::v1::SimulateRequest& request);

void Fill(const BrokerService::Simulations& simulations, broker::v1::SimulateResponse* out);

}  // namespace ccr
