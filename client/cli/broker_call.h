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

// Thread-safe.
class BrokerCall {
 public:
  // A target that cannot be used fails every call.
  explicit BrokerCall(const BrokerTarget& broker);

  // Within 5 s. `provider` empty: all.
  absl::StatusOr<broker::v1::ListPoolsResponse> ListPools(const std::string& provider);

  // Within 5 s. Of a broker that does not know the call, what its ListPools tells.
  absl::StatusOr<broker::v1::BrokerStatus> GetStatus();

  // Waits for the verdict, at most 60 s.
  absl::StatusOr<broker::v1::ReloadVerdict> Reload();

  // Waits for the result, at most 120 s.
  absl::StatusOr<broker::v1::SimulateResponse> Simulate(const broker::v1::SimulateRequest& request);

  // Changes: waits for the disk, at most 30 s; AddKeys at most 120 s, ProbeKey as long for the provider.
  absl::StatusOr<broker::v1::KeyChange> DisableKey(const broker::v1::DisableKeyRequest& request);
  absl::StatusOr<broker::v1::KeyChange> EnableKey(const broker::v1::KeyRef& key);
  absl::StatusOr<broker::v1::KeyChange> ResetKey(const broker::v1::KeyRef& key);
  absl::StatusOr<broker::v1::AddKeysResponse> AddKeys(const broker::v1::AddKeysRequest& request);
  absl::StatusOr<broker::v1::RemoveKeyResponse> RemoveKey(const broker::v1::KeyRef& key);
  absl::StatusOr<broker::v1::ChangePoolResponse> ChangePool(const broker::v1::ChangePoolRequest& request);
  absl::StatusOr<broker::v1::ProbeKeyResponse> ProbeKey(const broker::v1::KeyRef& key);

  // Within 5 s.
  absl::StatusOr<broker::v1::KeyHistory> GetKeyHistory(const broker::v1::KeyRef& key);

  const std::string& address() const { return address_; }

  // The exit status of a failed call: 2 for a target that makes no sense, 3 when nobody is there, else 1.
  int ExitStatus(const absl::Status& status) const;

  // A failed call in one line that says what to do.
  std::string Explain(const absl::Status& status) const;

  // "; did you mean openrouter?", of a provider that is not there, as `status` says.
  std::string Meant(const std::string& provider, const absl::Status& status);

 private:
  const std::string address_;
  const bool tls_;
  const absl::Status target_;
  client::AdminClient client_;
};

}  // namespace ccr::cli
