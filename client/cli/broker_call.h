// Calls of one command to the broker.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ccr/broker/v1/key_admin.pb.h"
#include "client/lib/admin_client.h"
#include "client/lib/broker_target.h"

namespace ccr::cli {

using client::BrokerTarget;

class BrokerCall {
 public:
  // A target that cannot be used fails every call.
  explicit BrokerCall(const BrokerTarget& broker);

  // Within 5 s. `provider` empty: all.
  absl::StatusOr<broker::v1::ListPoolsResponse> ListPools(const std::string& provider);

  // A failed call in one line that says what to do.
  std::string Explain(const absl::Status& status) const;

 private:
  const std::string address_;
  const absl::Status target_;
  client::AdminClient client_;
};

}  // namespace ccr::cli
