// The unary calls that may have to wait for a key: Lease, and Report with a next lease.
#pragma once

#include <memory>
#include <optional>

#include "broker/adapters/grpc/access.h"
#include "broker/base/mutex.h"
#include "broker/service/broker_service.h"
#include "ccr/broker/v1/key_broker.grpc.pb.h"

namespace ccr {

// Finishes the call when the answer is there. A client that goes while it waits gives up its place in the queue; a
// lease whose answer did not reach it is given back at once. Lives until OnDone and until its wait has ended.
class UnaryLease final : public grpc::ServerUnaryReactor, public std::enable_shared_from_this<UnaryLease> {
 public:
  static grpc::ServerUnaryReactor* Lease(BrokerService* service, const Caller& caller,
                                         const ccr::broker::v1::LeaseRequest& request,
                                         ccr::broker::v1::LeaseResponse* response);
  static grpc::ServerUnaryReactor* Report(BrokerService* service, const Caller& caller,
                                          const ccr::broker::v1::ReportRequest& request,
                                          ccr::broker::v1::ReportResponse* response);

  void OnCancel() override;
  void OnDone() override;

 private:
  explicit UnaryLease(BrokerService* service) : service_(service) {}
  static std::shared_ptr<UnaryLease> Make(BrokerService* service);

  LeaseCallback BeginWait(const core::LeaseId& id);
  void EndWait(const LeaseAnswer& answer);
  void Answer(const LeaseAnswer& answer);
  void FinishReport();

  BrokerService* const service_;
  ccr::broker::v1::LeaseResponse* lease_ = nullptr;  // one of the two is set
  ccr::broker::v1::ReportResponse* report_ = nullptr;
  ReportAnswer reported_;             // its call ends when that is durable
  std::shared_ptr<UnaryLease> self_;  // until OnDone
  Mutex mutex_;
  std::optional<core::LeaseId> waiting_ CCR_GUARDED_BY(mutex_);
  std::optional<core::LeaseId> granted_ CCR_GUARDED_BY(mutex_);
  bool cancelled_ CCR_GUARDED_BY(mutex_) = false;
};

}  // namespace ccr
