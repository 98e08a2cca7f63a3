// One LeaseStream: batches of operations in, gathered answers out.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "broker/adapters/grpc/access.h"
#include "broker/adapters/grpc/arena_message.h"
#include "broker/base/mutex.h"
#include "broker/service/broker_service.h"
#include "ccr/broker/v1/key_broker.grpc.pb.h"
#include "google/rpc/status.pb.h"

namespace ccr {

class LeaseStream;

// The streams that are open. Thread-safe.
class LeaseStreamSet {
 public:
  void Add(std::shared_ptr<LeaseStream> stream);
  void Remove(const std::shared_ptr<LeaseStream>& stream);
  // Tells every client to come back later, and those who come from now on too.
  void GoAway();

 private:
  Mutex mutex_;
  absl::flat_hash_set<std::shared_ptr<LeaseStream>> streams_ CCR_GUARDED_BY(mutex_);
  bool going_away_ CCR_GUARDED_BY(mutex_) = false;
};

// Executes the operations of one message in order and answers them in one message, in order; a lease that waits is
// answered later, and so is a report that changed its key: when that is durable. One write is under way at a time,
// results gather meanwhile. Back-pressure: while more than kMaxGathered results wait for their commit or for the client
// to read, no further operation is read from it.
//
// Leases that were granted and not sent when the stream ended are given back at once; those that were sent have the
// grace time. Reports of a stream that was cancelled still count.
//
// Lives until OnDone and until the last wait of it is answered. The lock is never held while the service is called,
// whose answers come back here with none held. It is held in StartRead, StartWrite and Finish, so that they stand in
// one order with what they send: gRPC runs no reaction from inside them. LeaseStreamSet's lock is taken before it.
class LeaseStream final
    : public grpc::ServerBidiReactor<ccr::broker::v1::LeaseStreamRequest, ccr::broker::v1::LeaseStreamResponse>,
      public std::enable_shared_from_this<LeaseStream> {
 public:
  static constexpr size_t kMaxGathered = 65536;

  // Begins to read. The reactor keeps itself alive; the first two arguments outlive it. Operations beyond what `caller`
  // may do are refused one by one.
  static LeaseStream* Start(BrokerService* service, LeaseStreamSet* streams, std::shared_ptr<const Caller> caller);

  void GoAway();

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  using Request = ccr::broker::v1::LeaseStreamRequest;
  using Response = ccr::broker::v1::LeaseStreamResponse;
  using Operation = ccr::broker::v1::Operation;
  using Result = ccr::broker::v1::Result;

  // Grants that were answered lately, so that a Cancel that crossed its answer still finds the lease.
  static constexpr size_t kRememberedGrants = 8192;

  LeaseStream(BrokerService* service, LeaseStreamSet* streams, std::shared_ptr<const Caller> caller)
      : service_(service), streams_(streams), caller_(std::move(caller)) {}

  bool Greet();
  void TakeOver(const ccr::broker::v1::Hello& hello);
  void Execute(const Operation& operation);
  void DoLease(uint64_t correlation, const ccr::broker::v1::LeaseRequest& request);
  void DoReport(uint64_t correlation, const ccr::broker::v1::ReportRequest& request);
  void DoProgress(const ccr::broker::v1::ProgressRequest& request);
  void DoRenew(uint64_t correlation, const ccr::broker::v1::RenewRequest& request);
  void DoCancel(uint64_t correlation);
  void AnswerPing(uint64_t correlation);
  void BeginWait(uint64_t correlation, const core::LeaseId& id);
  // The answer of a wait: `report` is set when it belongs to a report's next lease.
  void EndWait(uint64_t correlation, const ReportAnswer* report, const LeaseAnswer& answer);

  // Answers a report, with its next lease if there is one, as soon as the report is durable.
  void AnswerReport(uint64_t correlation, const ReportAnswer& report, std::optional<LeaseAnswer> next)
      CCR_EXCLUDES(mutex_);
  void EndReport(uint64_t correlation, const ReportAnswer& report, const std::optional<LeaseAnswer>& next, bool held)
      CCR_EXCLUDES(mutex_);

  void AddLease(uint64_t correlation, const LeaseAnswer& answer) CCR_REQUIRES(mutex_);
  void AddReport(uint64_t correlation, const ReportAnswer& report, const LeaseAnswer* next) CCR_REQUIRES(mutex_);
  void AddError(uint64_t correlation, const google::rpc::Status& error) CCR_EXCLUDES(mutex_);
  Result* AddResult(uint64_t correlation) CCR_REQUIRES(mutex_);
  void Remember(uint64_t correlation, const core::LeaseId& id) CCR_REQUIRES(mutex_);
  void MaybeWrite() CCR_REQUIRES(mutex_);
  // Ends the closed stream when nothing is being written and no answer is held any more.
  void MaybeFinish(bool with_output) CCR_REQUIRES(mutex_);
  void ReadOn() CCR_REQUIRES(mutex_);
  void Close(const grpc::Status& status) CCR_EXCLUDES(mutex_);
  void EndReading() CCR_EXCLUDES(mutex_);
  // Whom new leases belong to, or nothing once the stream is closed: nobody would hear of them.
  std::optional<core::OwnerId> LeasingOwner() CCR_EXCLUDES(mutex_);

  BrokerService* const service_;
  LeaseStreamSet* const streams_;
  const std::shared_ptr<const Caller> caller_;
  std::shared_ptr<LeaseStream> self_;  // until OnDone

  // Of the one reaction that reads.
  ArenaMessage<Request> request_;
  bool greeted_ = false;

  Mutex mutex_;
  ArenaMessage<Response> messages_[2] CCR_GUARDED_BY(mutex_);
  std::vector<core::LeaseId> unsent_[2] CCR_GUARDED_BY(mutex_);  // the grants in each, until it is sent
  int gathering_ CCR_GUARDED_BY(mutex_) = 0;  // index of the message that takes results; the other one is being sent
  bool has_output_ CCR_GUARDED_BY(mutex_) = false;
  bool writing_ CCR_GUARDED_BY(mutex_) = false;
  bool read_paused_ CCR_GUARDED_BY(mutex_) = false;
  bool executing_ CCR_GUARDED_BY(mutex_) = false;  // operations are under way: who closes leaves owner_ to them
  size_t held_ CCR_GUARDED_BY(mutex_) = 0;         // answers of reports that wait for their commit
  bool closed_ CCR_GUARDED_BY(mutex_) = false;
  bool finished_ CCR_GUARDED_BY(mutex_) = false;
  grpc::Status final_status_ CCR_GUARDED_BY(mutex_);
  core::OwnerId owner_ CCR_GUARDED_BY(mutex_) = core::kNoOwner;
  absl::flat_hash_map<uint64_t, core::LeaseId> waits_ CCR_GUARDED_BY(mutex_);
  std::vector<std::pair<uint64_t, core::LeaseId>> grants_ CCR_GUARDED_BY(mutex_);  // a ring
  size_t next_grant_ CCR_GUARDED_BY(mutex_) = 0;
};

}  // namespace ccr
