// One call, one answer: the client for services that lease now and then.
#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ccr/broker/v1/key_broker.grpc.pb.h"
#include "client/lib/lease_guard.h"

namespace ccr::client {

// Blocking calls, each ended by its deadline with DeadlineExceeded. Errors have the codes that key_broker.proto lists;
// RetryAfter() of broker_status.h reads how long to wait. Thread-safe.
class KeyBrokerClient {
 public:
  explicit KeyBrokerClient(const std::shared_ptr<grpc::Channel>& channel);

  absl::StatusOr<v1::LeaseResponse> Lease(const v1::LeaseRequest& request, absl::Time deadline);
  absl::StatusOr<v1::ReportResponse> Report(const v1::ReportRequest& request, absl::Time deadline);
  absl::StatusOr<v1::ProgressResponse> Progress(const v1::ProgressRequest& request, absl::Time deadline);
  absl::StatusOr<v1::RenewResponse> Renew(const v1::RenewRequest& request, absl::Time deadline);

  // Lease() as a guard that reports through this client, which must outlive it. Each report may block for up to
  // kReportTimeout; a report that fails is not repeated: the broker ends the lease at its ttl.
  absl::StatusOr<LeaseGuard> Acquire(const v1::LeaseRequest& request, absl::Time deadline);

  static constexpr absl::Duration kReportTimeout = absl::Seconds(5);

 private:
  std::unique_ptr<v1::KeyBroker::Stub> stub_;
};

}  // namespace ccr::client
