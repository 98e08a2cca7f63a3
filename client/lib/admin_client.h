// KeyAdmin for the command line.
#pragma once

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ccr/broker/v1/key_admin.grpc.pb.h"

namespace ccr::client {

namespace v1 = ::ccr::broker::v1;

// Blocking calls. Thread-safe.
class AdminClient {
 public:
  explicit AdminClient(const std::shared_ptr<grpc::Channel>& channel);

  // Of one pool, or of all when `pool` is empty. Unavailable when no broker answers.
  absl::StatusOr<v1::ListPoolsResponse> ListPools(const std::string& pool, absl::Time deadline);

  absl::StatusOr<v1::BrokerStatus> GetStatus(absl::Time deadline);

  // Waits for the verdict. A refused file is a verdict, no error.
  absl::StatusOr<v1::ReloadVerdict> Reload(absl::Time deadline);

  // Takes long where much is recorded.
  absl::StatusOr<v1::SimulateResponse> Simulate(const v1::SimulateRequest& request, absl::Time deadline);

  // Changes: the broker's status says why one cannot be made. It is on disk when this returns.
  absl::StatusOr<v1::KeyChange> DisableKey(const v1::DisableKeyRequest& request, absl::Time deadline);
  absl::StatusOr<v1::KeyChange> EnableKey(const v1::KeyRef& key, absl::Time deadline);
  absl::StatusOr<v1::KeyChange> ResetKey(const v1::KeyRef& key, absl::Time deadline);
  absl::StatusOr<v1::AddKeysResponse> AddKeys(const v1::AddKeysRequest& request, absl::Time deadline);
  absl::StatusOr<v1::RemoveKeyResponse> RemoveKey(const v1::KeyRef& key, absl::Time deadline);
  absl::StatusOr<v1::ChangePoolResponse> ChangePool(const v1::ChangePoolRequest& request, absl::Time deadline);

  // Waits for the provider's answer.
  absl::StatusOr<v1::ProbeKeyResponse> ProbeKey(const v1::KeyRef& key, absl::Time deadline);

  absl::StatusOr<v1::KeyHistory> GetKeyHistory(const v1::KeyRef& key, absl::Time deadline);

  // Calls `on_event` for each event until it returns false (Ok), the deadline passes (DeadlineExceeded) or the stream
  // ends (Unavailable or what the broker said).
  absl::Status WatchEvents(const v1::WatchEventsRequest& request, absl::Time deadline,
                           const std::function<bool(const v1::Event&)>& on_event);

 private:
  std::unique_ptr<v1::KeyAdmin::Stub> stub_;
};

}  // namespace ccr::client
