// The rules of the routing table as values.
#pragma once

#include <vector>

#include "ccr/broker/v1/key_broker.pb.h"
#include "proxy/core/model_rules.h"

namespace ccr::proxy {

// A word that this proxy does not know leaves its rule as it is: the broker may be newer.
std::vector<ModelRules> ToModelRules(const google::protobuf::RepeatedPtrField<ccr::broker::v1::ModelRules>& messages);

}  // namespace ccr::proxy
