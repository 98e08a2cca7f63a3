// `ccr config diff`: what the configuration file says otherwise than the broker runs with, changes by people included.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "broker/config/config.h"
#include "ccr/broker/v1/key_admin.pb.h"
#include "client/cli/broker_call.h"
#include "client/cli/service/service.h"
#include "client/cli/terminal.h"

namespace ccr::cli {

struct ConfigDifference {
  std::string provider;
  std::string key;     // its name; empty: of the provider
  std::string field;   // "strategy", "weight", "is there"
  std::string file;    // the value in the file
  std::string broker;  // and in the broker
};

// Pure. A key is the same key when both say the same name; keys of the file that have none must have been named
// (NameKeys) or are left out, as are those of the broker that could be one of them.
std::vector<ConfigDifference> CompareWithBroker(const Config& config, const broker::v1::ListPoolsResponse& response,
                                                absl::Time now);

// What the broker does not tell, and is not compared.
const std::vector<std::string>& NotCompared();

// 0: compared, whatever came of it. 1: the broker refused. 2: the file is wrong. 3: no broker.
int DiffConfig(const ServiceOptions& options, const BrokerTarget& target, const Terminal& terminal);

}  // namespace ccr::cli
