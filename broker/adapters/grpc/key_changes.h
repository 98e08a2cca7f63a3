// Changes of keys and pools of the contract, checked and as the service has them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/service/broker_service.h"
#include "ccr/broker/v1/key_admin.pb.h"
#include "google/rpc/status.pb.h"

namespace ccr {

// What is wrong with a request, or nothing. The limits are those of the contract.
std::optional<google::rpc::Status> Check(const broker::v1::KeyRef& request);
std::optional<google::rpc::Status> Check(const broker::v1::DisableKeyRequest& request);
std::optional<google::rpc::Status> Check(const broker::v1::AddKeysRequest& request);
std::optional<google::rpc::Status> Check(const broker::v1::ChangePoolRequest& request);

// These have been checked. The secrets are taken out of `request`.
BrokerService::KeyRef ToCore(const broker::v1::KeyRef& request);
std::vector<KeyConfig> TakeKeys(broker::v1::AddKeysRequest* request);
PoolChange ToCore(const broker::v1::ChangePoolRequest& request);

// `status` has one key.
void Fill(const PoolStatus& status, broker::v1::KeyChange* out);
void Fill(const std::vector<BrokerService::AddedKey>& keys, broker::v1::AddKeysResponse* out);
void Fill(const ManagedPool::Probed& probed, broker::v1::ProbeKeyResponse* out);

}  // namespace ccr
