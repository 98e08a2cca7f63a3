// Calls of one command to the broker.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/base/tls_files.h"
#include "ccr/broker/v1/key_admin.pb.h"
#include "client/lib/admin_client.h"

namespace ccr::cli {

// Where the broker is, and how to speak with it.
struct BrokerTarget {
  std::string address;  // "HOST:PORT" or "unix:PATH"
  TlsFiles tls;
};

class BrokerCall {
 public:
  explicit BrokerCall(const BrokerTarget& broker);

  // Within 5 s. `provider` empty: all.
  absl::StatusOr<broker::v1::ListPoolsResponse> ListPools(const std::string& provider);

  // A failed call in one line that says what to do.
  std::string Explain(const absl::Status& status) const;

 private:
  const std::string address_;
  client::AdminClient client_;
};

}  // namespace ccr::cli
