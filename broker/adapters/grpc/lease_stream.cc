#include "broker/adapters/grpc/lease_stream.h"

#include <algorithm>
#include <optional>
#include <string>

#include "broker/adapters/grpc/convert.h"
#include "broker/adapters/grpc/errors.h"
#include "broker/adapters/grpc/requests.h"
#include "broker/adapters/grpc/scope.h"
#include "broker/base/log.h"

namespace ccr {

void LeaseStreamSet::Add(std::shared_ptr<LeaseStream> stream) {
  MutexLock lock(mutex_);
  if (going_away_) stream->GoAway();
  streams_.insert(std::move(stream));
}

void LeaseStreamSet::Remove(const std::shared_ptr<LeaseStream>& stream) {
  MutexLock lock(mutex_);
  streams_.erase(stream);
}

void LeaseStreamSet::GoAway() {
  MutexLock lock(mutex_);
  going_away_ = true;
  for (const auto& stream : streams_) stream->GoAway();
}

LeaseStream* LeaseStream::Start(BrokerService* service, LeaseStreamSet* streams, std::shared_ptr<const Caller> caller) {
  std::shared_ptr<LeaseStream> stream(new LeaseStream(service, streams, std::move(caller)));
  stream->self_ = stream;
  stream->StartRead(stream->request_.get());  // gRPC runs no reaction before it has the reactor that we return
  streams->Add(stream);
  return stream.get();
}

void LeaseStream::GoAway() {
  MutexLock lock(mutex_);
  messages_[gathering_]->set_going_away(true);
  has_output_ = true;
  MaybeWrite();
}

void LeaseStream::OnReadDone(bool ok) {
  if (!ok) return Close(grpc::Status::OK);
  bool closed = false;
  {
    MutexLock lock(mutex_);
    executing_ = true;  // from here on Close leaves the owner to EndReading: operations under way are its still
    closed = closed_;
  }
  if (greeted_ || (!closed && Greet())) {
    for (const Operation& operation : request_->operations()) Execute(operation);
  }
  EndReading();
}

void LeaseStream::EndReading() {
  request_.Reset();
  core::OwnerId gone = core::kNoOwner;
  {
    MutexLock lock(mutex_);
    executing_ = false;
    if (closed_) gone = std::exchange(owner_, core::kNoOwner);
    MaybeWrite();
    ReadOn();
  }
  if (gone != core::kNoOwner) service_->CloseStream(gone);
}

std::optional<core::OwnerId> LeaseStream::LeasingOwner() {
  MutexLock lock(mutex_);
  if (closed_) return std::nullopt;
  return owner_;
}

void LeaseStream::ReadOn() {
  read_paused_ = static_cast<size_t>(messages_[gathering_]->results_size()) + held_ > kMaxGathered;
  if (!closed_ && !read_paused_) StartRead(request_.get());
}

bool LeaseStream::Greet() {
  std::optional<google::rpc::Status> error;
  if (!request_->has_hello()) error = BadField("hello", "must be in the first message");
  if (!error.has_value()) error = Check(request_->hello());
  if (!error.has_value()) error = OutOfScope(*caller_, *service_, request_->hello());
  if (error.has_value()) {
    Close(ToGrpcStatus(*error));
    return false;
  }
  greeted_ = true;
  TakeOver(request_->hello());
  return true;
}

void LeaseStream::TakeOver(const v1::Hello& hello) {
  std::vector<BrokerService::HeldLease> held;
  for (const v1::HeldLease& lease : hello.held()) {
    held.push_back({*ParseLeaseId(lease.lease_id()), lease.pool(), lease.key_fingerprint()});
  }
  const BrokerService::OpenedStream opened = service_->OpenStream(hello.session_token(), held);
  Log(LogLevel::kInfo, "stream_opened",
      {{"client", hello.client()}, {"reasserted", held.size() - opened.lost.size()}, {"lost", opened.lost.size()}});
  MutexLock lock(mutex_);
  owner_ = opened.owner;
  v1::HelloAck* ack = messages_[gathering_]->mutable_hello_ack();
  ack->set_broker_version(CCR_VERSION);
  ack->set_epoch(service_->epoch());
  ack->set_grace_ms(absl::ToInt64Milliseconds(service_->stream_grace()));
  for (size_t index : opened.lost) ack->add_lost(hello.held(static_cast<int>(index)).lease_id());
  has_output_ = true;
}

void LeaseStream::Execute(const Operation& operation) {
  switch (operation.op_case()) {
    case Operation::kLease:
      return DoLease(operation.correlation_id(), operation.lease());
    case Operation::kReport:
      return DoReport(operation.correlation_id(), operation.report());
    case Operation::kRenew:
      return DoRenew(operation.correlation_id(), operation.renew());
    case Operation::kProgress:
      return DoProgress(operation.progress());
    case Operation::kCancel:
      return DoCancel(operation.cancel().correlation_id());
    case Operation::kPing:
      return AnswerPing(operation.correlation_id());
    case Operation::OP_NOT_SET:
      return AddError(operation.correlation_id(), BadField("op", "an operation is missing"));
  }
}

void LeaseStream::DoLease(uint64_t correlation, const v1::LeaseRequest& request) {
  if (auto error = Check(request)) return AddError(correlation, *error);
  if (auto error = OutOfScope(*caller_, *service_, request)) return AddError(correlation, *error);
  const std::optional<core::OwnerId> owner = LeasingOwner();
  if (!owner.has_value()) return;
  const LeaseArgs args(request, *owner);
  const auto answer = service_->Lease(args.params(), [&](const core::LeaseId& id) -> LeaseCallback {
    BeginWait(correlation, id);
    return [self = shared_from_this(), correlation](const LeaseAnswer& later) {
      self->EndWait(correlation, nullptr, later);
    };
  });
  if (!answer.has_value()) return;
  MutexLock lock(mutex_);
  AddLease(correlation, *answer);
}

void LeaseStream::DoReport(uint64_t correlation, const v1::ReportRequest& request) {
  if (auto error = Check(request)) return AddError(correlation, *error);
  if (auto error = OutOfScope(*caller_, *service_, request)) return AddError(correlation, *error);
  const ReportAnswer report = service_->Report(ToCore(request));
  const std::optional<core::OwnerId> owner = LeasingOwner();
  if (!owner.has_value() || !WantsNext(request, report)) return AnswerReport(correlation, report, std::nullopt);
  const LeaseArgs args(request.next(), *owner);
  const auto next = service_->LeaseNext(args.params(), report, [&](const core::LeaseId& id) -> LeaseCallback {
    BeginWait(correlation, id);
    return [self = shared_from_this(), correlation, report](const LeaseAnswer& later) {
      self->EndWait(correlation, &report, later);
    };
  });
  if (next.has_value()) AnswerReport(correlation, report, next);
}

void LeaseStream::AnswerReport(uint64_t correlation, const ReportAnswer& report, std::optional<LeaseAnswer> next) {
  if (report.commit == Journal::kNowhere) return EndReport(correlation, report, next, /*held=*/false);
  {
    MutexLock lock(mutex_);
    ++held_;  // before AwaitCommit, whose callback may run at once on the journal's thread
    if (next.has_value() && next->status.ok()) Remember(correlation, next->grant.id);  // a Cancel finds it already
  }
  const bool waits = service_->AwaitCommit(report, [self = shared_from_this(), correlation, report, next] {
    self->EndReport(correlation, report, next, /*held=*/true);
  });
  if (!waits) EndReport(correlation, report, next, /*held=*/true);
}

void LeaseStream::EndReport(uint64_t correlation, const ReportAnswer& report, const std::optional<LeaseAnswer>& next,
                            bool held) {
  MutexLock lock(mutex_);
  if (held) --held_;
  AddReport(correlation, report, next.has_value() ? &*next : nullptr);
  if (closed_) return MaybeFinish(/*with_output=*/true);
  if (!executing_) MaybeWrite();
}

// Not answered, not even when it names no lease, or one that is not the caller's: the report tells.
void LeaseStream::DoProgress(const v1::ProgressRequest& request) {
  const std::optional<core::LeaseId> id = ParseLeaseId(request.lease_id());
  if (!id.has_value() || OutOfScope(*caller_, *service_, request.lease_id())) return;
  ApplyProgress(service_, *id, request);
}

void LeaseStream::DoRenew(uint64_t correlation, const v1::RenewRequest& request) {
  const std::optional<core::LeaseId> id = ParseLeaseId(request.lease_id());
  if (!id.has_value()) return AddError(correlation, BadField("lease_id", "not an id of a lease"));
  if (auto error = OutOfScope(*caller_, *service_, request.lease_id())) return AddError(correlation, *error);
  const std::optional<absl::Duration> ttl = service_->Renew(*id);
  if (!ttl.has_value()) return AddError(correlation, NotFound("the lease has ended"));
  MutexLock lock(mutex_);
  AddResult(correlation)->mutable_renew()->set_ttl_ms(absl::ToInt64Milliseconds(*ttl));
}

void LeaseStream::AnswerPing(uint64_t correlation) {
  MutexLock lock(mutex_);
  AddResult(correlation);
}

void LeaseStream::DoCancel(uint64_t correlation) {
  std::optional<core::LeaseId> id;
  bool waiting = false;
  {
    MutexLock lock(mutex_);
    const auto wait = waits_.find(correlation);
    waiting = wait != waits_.end();
    if (waiting) {
      id = wait->second;
      waits_.erase(wait);
    }
    for (auto grant = grants_.begin(); !waiting && grant != grants_.end(); ++grant) {
      if (grant->first == correlation) id = grant->second;
    }
  }
  if (waiting) {
    service_->CancelWait(*id);
  } else if (id.has_value()) {
    service_->Release(*id);
  }
}

void LeaseStream::BeginWait(uint64_t correlation, const core::LeaseId& id) {
  MutexLock lock(mutex_);
  waits_[correlation] = id;
}

void LeaseStream::EndWait(uint64_t correlation, const ReportAnswer* report, const LeaseAnswer& answer) {
  bool wanted = false;
  {
    MutexLock lock(mutex_);
    wanted = waits_.erase(correlation) > 0 && !closed_;  // a Cancel that came first has erased it
    if (wanted && report == nullptr) {
      AddLease(correlation, answer);
      MaybeWrite();
    }
  }
  if (!wanted) {
    if (answer.status.ok()) service_->Release(answer.grant.id);
  } else if (report != nullptr) {
    AnswerReport(correlation, *report, answer);
  }
}

void LeaseStream::AddLease(uint64_t correlation, const LeaseAnswer& answer) {
  Result* result = AddResult(correlation);
  if (!answer.status.ok()) {
    *result->mutable_error() = ToRpcStatus(answer);
    return;
  }
  Fill(answer, result->mutable_lease());
  unsent_[gathering_].push_back(answer.grant.id);
  Remember(correlation, answer.grant.id);
}

void LeaseStream::AddReport(uint64_t correlation, const ReportAnswer& report, const LeaseAnswer* next) {
  v1::ReportResponse* response = AddResult(correlation)->mutable_report();
  Fill(report, response);
  if (next == nullptr) return;
  if (!next->status.ok()) {
    *response->mutable_next_error() = ToRpcStatus(*next);
    return;
  }
  Fill(*next, response->mutable_next());
  unsent_[gathering_].push_back(next->grant.id);
  Remember(correlation, next->grant.id);
}

void LeaseStream::AddError(uint64_t correlation, const google::rpc::Status& error) {
  MutexLock lock(mutex_);
  *AddResult(correlation)->mutable_error() = error;
}

LeaseStream::Result* LeaseStream::AddResult(uint64_t correlation) {
  has_output_ = true;
  Result* result = messages_[gathering_]->add_results();
  result->set_correlation_id(correlation);
  return result;
}

void LeaseStream::Remember(uint64_t correlation, const core::LeaseId& id) {
  if (grants_.size() < kRememberedGrants) {
    grants_.emplace_back(correlation, id);
    return;
  }
  grants_[next_grant_] = {correlation, id};
  next_grant_ = (next_grant_ + 1) % kRememberedGrants;
}

void LeaseStream::MaybeWrite() {
  if (closed_ || writing_ || !has_output_) return;
  writing_ = true;
  has_output_ = false;
  StartWrite(messages_[gathering_].get());
  gathering_ = 1 - gathering_;
}

void LeaseStream::OnWriteDone(bool ok) {
  MutexLock lock(mutex_);
  writing_ = false;
  messages_[1 - gathering_].Reset();  // with the keys in it
  if (ok) unsent_[1 - gathering_].clear();
  if (closed_) return MaybeFinish(ok);
  MaybeWrite();
  if (read_paused_) ReadOn();
}

void LeaseStream::MaybeFinish(bool with_output) {
  if (finished_ || writing_ || held_ > 0) return;
  finished_ = true;
  if (!with_output || !has_output_ || final_status_.error_code() == grpc::StatusCode::CANCELLED) {
    return Finish(final_status_);
  }
  unsent_[gathering_].clear();
  StartWriteAndFinish(messages_[gathering_].get(), grpc::WriteOptions(), final_status_);
  gathering_ = 1 - gathering_;
}

void LeaseStream::OnCancel() {
  Close(grpc::Status::CANCELLED);
}

void LeaseStream::Close(const grpc::Status& status) {
  core::OwnerId owner = core::kNoOwner;
  {
    MutexLock lock(mutex_);
    if (closed_) return;
    closed_ = true;
    final_status_ = status;
    if (!executing_) owner = std::exchange(owner_, core::kNoOwner);
    MaybeFinish(/*with_output=*/false);
  }
  if (owner != core::kNoOwner) service_->CloseStream(owner);
}

void LeaseStream::OnDone() {
  std::vector<core::LeaseId> unsent;
  {
    MutexLock lock(mutex_);
    for (const auto& ids : unsent_) unsent.insert(unsent.end(), ids.begin(), ids.end());
  }
  for (const core::LeaseId& id : unsent) service_->Release(id);
  streams_->Remove(self_);
  self_.reset();
}

}  // namespace ccr
