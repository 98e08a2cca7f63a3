// Calls of one command to the broker.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ccr/broker/v1/key_admin.pb.h"
#include "client/lib/admin_client.h"

namespace ccr::cli {

class BrokerCall {
 public:
  explicit BrokerCall(const std::string& address);

  // Within 5 s. `provider` empty: all.
  absl::StatusOr<broker::v1::ListPoolsResponse> ListPools(const std::string& provider);

  // A failed call in one line that says what to do.
  std::string Explain(const absl::Status& status) const;

 private:
  const std::string address_;
  client::AdminClient client_;
};

}  // namespace ccr::cli
