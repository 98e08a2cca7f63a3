#include "client/lib/lease_stream.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "client/lib/broker_status.h"
#include "client/lib/held_leases.h"
#include "client/lib/lease_connection.h"

namespace ccr::client {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

// How long a broker that goes away may take to answer what it has.
constexpr absl::Duration kGoingAwayBound = absl::Seconds(1);

// How often within `hold` a broker that says nothing is looked at.
constexpr int kLooks = 5;

// Whether the broker answers it without waiting for a key.
bool IsAnsweredAtOnce(const v1::Operation& operation) {
  if (operation.has_lease()) return operation.lease().max_wait_ms() == 0;
  return !operation.report().has_next() || operation.report().next().max_wait_ms() == 0;
}

v1::ReportRequest GivenBack(const std::string& lease_id) {
  v1::ReportRequest report;
  report.set_lease_id(lease_id);
  report.mutable_evidence()->set_caller_fault(true);
  return report;
}

}  // namespace

class LeaseStream::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(const std::shared_ptr<grpc::Channel>& channel, Options options);

  void Connect();
  OperationId Lease(v1::LeaseRequest request, LeaseCallback done);
  OperationId Report(v1::ReportRequest request, ReportCallback done);
  void Progress(v1::ProgressRequest request);
  void Cancel(OperationId id);
  void Flush();
  void Stop(absl::Duration bound);

  bool answer_due() const { return answer_due_; }
  bool connected() const { return connected_; }
  size_t held() const { return held_.size(); }
  size_t pending() const { return operations_.size(); }
  uint64_t dropped_reports() const { return dropped_reports_; }

 private:
  struct Operation {
    v1::Operation message;  // kept for sending it again
    LeaseCallback lease_done;
    ReportCallback report_done;
    SteadyTime since = std::chrono::steady_clock::now();  // has waited for a broker, unless it lies with one that lives
    bool sent = false;                                    // on the present connection
    bool refused = false;                                 // there, by a broker that is about to go away
    bool wanted() const { return lease_done || report_done; }
  };

  Operation& Add(OperationId id);
  void QueueReport(OperationId id);
  void DropReport(OperationId id);
  v1::LeaseStreamRequest MakeHello() const;
  std::vector<OperationId> SortedOperations() const;

  void SendQueued();
  void RenewBy(SteadyTime time);
  void OnRenewTimer();
  void OnMessages(std::vector<v1::LeaseStreamResponse> messages);
  void OnHelloAck(const v1::HelloAck& ack);
  void OnGoingAway();
  void OnEnd();
  void LoseConnection();
  void SetConnected(bool connected);
  void OnResult(v1::Result& result);
  void FinishLease(const Operation& operation, v1::Result& result);
  void FinishReport(const Operation& operation, v1::Result& result);
  SteadyTime WaitsSince(const Operation& operation) const;
  void Watch();
  void WatchAt(SteadyTime time);
  void OnWatchTimer();
  void Ping();
  void GiveUp(OperationId id);
  void Abandon(OperationId id);
  template <typename Method>
  LoopGate::Task Later(Method method);

  const Options options_;
  const std::unique_ptr<v1::KeyBroker::Stub> stub_;
  const std::shared_ptr<LoopGate> gate_;
  std::shared_ptr<LeaseConnection> connection_;
  LoopTimer retry_timer_;
  LoopTimer watch_timer_;
  LoopTimer renew_timer_;
  SteadyTime renew_timer_at_ = SteadyTime::max();  // law: no held lease is to be renewed earlier
  std::optional<SteadyTime> watch_at_;             // set while an operation has a callback; no more than a look ahead
  SteadyTime heard_;                               // the last sign of life of a broker
  std::minstd_rand random_;
  absl::Duration backoff_;
  bool stopped_ = false;
  bool acknowledged_ = false;  // connection_ has answered our hello
  bool connected_ = false;     // acknowledged_, and the broker is not going away
  bool answer_due_ = false;    // a message is unanswered that the broker answers at once
  OperationId last_id_ = 0;

  // Every operation that is not answered is in operations_. Without a connection each report of them that has no
  // callback is in queued_reports_, by age, which may name finished ones.
  absl::flat_hash_map<OperationId, Operation> operations_;
  HeldLeases held_;
  std::vector<OperationId> unsent_;  // what the next Flush sends; may name finished ones
  v1::LeaseStreamRequest outgoing_;  // its message; between flushes it holds only what is not answered
  std::deque<OperationId> queued_reports_;
  uint64_t dropped_reports_ = 0;
};

LeaseStream::Impl::Impl(const std::shared_ptr<grpc::Channel>& channel, Options options)
    : options_(std::move(options)),
      stub_(v1::KeyBroker::NewStub(channel)),
      gate_(std::make_shared<LoopGate>(options_.executor)),
      random_(static_cast<std::minstd_rand::result_type>(options_.jitter_seed)),
      backoff_(options_.min_backoff) {}

// A task that calls `method` unless we are gone or stopped by then.
template <typename Method>
LoopGate::Task LeaseStream::Impl::Later(Method method) {
  return [weak = weak_from_this(), method] {
    const auto self = weak.lock();
    if (self != nullptr && !self->stopped_) (self.get()->*method)();
  };
}

void LeaseStream::Impl::Connect() {
  if (stopped_) return;
  auto on_messages = [weak = weak_from_this()](std::vector<v1::LeaseStreamResponse> messages) {
    if (const auto self = weak.lock()) self->OnMessages(std::move(messages));
  };
  connection_ = LeaseConnection::Open(*stub_, gate_, MakeHello(), std::move(on_messages), Later(&Impl::OnEnd));
}

v1::LeaseStreamRequest LeaseStream::Impl::MakeHello() const {
  v1::LeaseStreamRequest request;
  v1::Hello& hello = *request.mutable_hello();
  hello.set_client(options_.client);
  hello.set_session_token(options_.session_token);
  held_.Reassert(&hello);
  return request;
}

LeaseStream::OperationId LeaseStream::Impl::Lease(v1::LeaseRequest request, LeaseCallback done) {
  const OperationId id = ++last_id_;
  Operation& operation = Add(id);
  *operation.message.mutable_lease() = std::move(request);
  operation.lease_done = std::move(done);
  Watch();
  return id;
}

LeaseStream::OperationId LeaseStream::Impl::Report(v1::ReportRequest request, ReportCallback done) {
  const OperationId id = ++last_id_;
  Operation& operation = Add(id);
  *operation.message.mutable_report() = std::move(request);
  operation.report_done = std::move(done);
  held_.EndProgress(operation.message.report().lease_id());
  if (operation.report_done) {
    Watch();
  } else if (!connected_) {
    QueueReport(id);
  }
  return id;
}

void LeaseStream::Impl::Progress(v1::ProgressRequest request) {
  held_.SetProgress(std::move(request));
}

LeaseStream::Impl::Operation& LeaseStream::Impl::Add(OperationId id) {
  Operation& operation = operations_[id];
  operation.message.set_correlation_id(id);
  unsent_.push_back(id);
  return operation;
}

void LeaseStream::Impl::QueueReport(OperationId id) {
  queued_reports_.push_back(id);
  while (queued_reports_.size() > options_.max_queued_reports) {
    DropReport(queued_reports_.front());
    queued_reports_.pop_front();
  }
}

void LeaseStream::Impl::DropReport(OperationId id) {
  const auto it = operations_.find(id);
  if (it == operations_.end()) return;
  held_.Remove(it->second.message.report().lease_id());
  operations_.erase(it);
  ++dropped_reports_;
}

void LeaseStream::Impl::Cancel(OperationId id) {
  const auto it = operations_.find(id);
  if (it == operations_.end()) return;
  if (it->second.wanted()) Abandon(id);
}

// Nobody waits for the answer any more.
void LeaseStream::Impl::Abandon(OperationId id) {
  const auto it = operations_.find(id);
  Operation& operation = it->second;
  if (operation.message.has_report()) {
    operation.report_done = nullptr;
    if (!operation.sent) operation.message.mutable_report()->clear_next();
    if (!connected_) QueueReport(id);
    return;
  }
  if (operation.sent) outgoing_.add_operations()->mutable_cancel()->set_correlation_id(id);
  operations_.erase(it);
}

void LeaseStream::Impl::Flush() {
  if (!connected_) {
    unsent_.clear();
    held_.ForgetUntold();
    outgoing_.clear_operations();
  } else if (!answer_due_) {
    SendQueued();
  }
}

void LeaseStream::Impl::SendQueued() {
  held_.TellProgress(&outgoing_);
  for (const OperationId id : unsent_) {
    const auto it = operations_.find(id);
    if (it == operations_.end() || std::exchange(it->second.sent, true)) continue;
    answer_due_ = answer_due_ || IsAnsweredAtOnce(it->second.message);
    *outgoing_.add_operations() = it->second.message;
  }
  unsent_.clear();
  if (!outgoing_.operations().empty()) connection_->Send(outgoing_);
}

// Sees to it that OnRenewTimer runs at `time` or before. One timer serves all leases: most are over by then.
void LeaseStream::Impl::RenewBy(SteadyTime time) {
  if (time >= renew_timer_at_) return;
  renew_timer_at_ = time;
  const auto left = time - std::chrono::steady_clock::now();
  renew_timer_.Set(std::max(absl::FromChrono(left), absl::ZeroDuration()), gate_, Later(&Impl::OnRenewTimer));
}

void LeaseStream::Impl::OnRenewTimer() {
  renew_timer_at_ = SteadyTime::max();
  RenewBy(held_.Renew(std::chrono::steady_clock::now(), &outgoing_));
  Flush();
}

void LeaseStream::Impl::Stop(absl::Duration bound) {
  if (std::exchange(stopped_, true)) return;
  answer_due_ = false;
  Flush();
  gate_->Close();
  if (connection_ == nullptr) return;
  if (connected_ && bound > absl::ZeroDuration()) connection_->Finish();
  if (!connected_ || !connection_->WaitUntilDone(bound)) connection_->Cancel();
  connection_->WaitUntilDone(absl::Hours(1));
  connection_->WaitUntilLetGo();
}

void LeaseStream::Impl::OnMessages(std::vector<v1::LeaseStreamResponse> messages) {
  answer_due_ = false;
  heard_ = std::chrono::steady_clock::now();
  for (auto& message : messages) {
    if (stopped_) return;
    if (message.has_hello_ack()) OnHelloAck(message.hello_ack());
    for (auto& result : *message.mutable_results()) {
      if (stopped_) return;
      OnResult(result);
    }
    if (message.going_away()) OnGoingAway();
  }
  if (!stopped_) Flush();
}

void LeaseStream::Impl::OnHelloAck(const v1::HelloAck& ack) {
  for (const auto& id : ack.lost()) held_.Remove(id);
  backoff_ = options_.min_backoff;
  queued_reports_.clear();
  unsent_ = SortedOperations();
  held_.Retell();
  acknowledged_ = true;
  SetConnected(true);
}

void LeaseStream::Impl::OnGoingAway() {
  LoseConnection();
  connection_->Finish();
  retry_timer_.Set(kGoingAwayBound, gate_, [connection = connection_] { connection->Cancel(); });
}

void LeaseStream::Impl::OnEnd() {
  LoseConnection();
  if (std::exchange(acknowledged_, false)) {
    for (auto& [id, operation] : operations_) {
      operation.since = WaitsSince(operation);
      operation.sent = operation.refused = false;
      if (!operation.wanted()) operation.message.mutable_report()->clear_next();
    }
  }
  const absl::Duration jittered = backoff_ * std::uniform_real_distribution<>(0.75, 1.25)(random_);
  retry_timer_.Set(jittered, gate_, Later(&Impl::Connect));
  backoff_ = std::min(backoff_ * 2, options_.max_backoff);
}

void LeaseStream::Impl::LoseConnection() {
  answer_due_ = false;
  if (!connected_) return;
  for (const OperationId id : SortedOperations()) {
    if (!operations_.find(id)->second.wanted()) QueueReport(id);
  }
  SetConnected(false);
}

void LeaseStream::Impl::SetConnected(bool connected) {
  connected_ = connected;
  if (options_.on_state) options_.on_state(connected);
}

std::vector<LeaseStream::OperationId> LeaseStream::Impl::SortedOperations() const {
  std::vector<OperationId> ids;
  ids.reserve(operations_.size());
  for (const auto& [id, operation] : operations_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

void LeaseStream::Impl::OnResult(v1::Result& result) {
  const auto it = operations_.find(result.correlation_id());
  if (it == operations_.end()) {
    if (result.has_lease()) Report(GivenBack(result.lease().lease_id()), nullptr);
    return;
  }
  if (result.has_error() && result.error().code() == static_cast<int>(absl::StatusCode::kUnavailable)) {
    it->second.refused = true;  // sent again to the broker's successor
    it->second.since = heard_;
    return;
  }
  const Operation operation = std::move(it->second);
  operations_.erase(it);
  if (operation.message.has_report()) {
    FinishReport(operation, result);
  } else {
    FinishLease(operation, result);
  }
}

void LeaseStream::Impl::FinishLease(const Operation& operation, v1::Result& result) {
  if (!result.has_lease()) {
    operation.lease_done(result.has_error() ? ToStatus(result.error()) : absl::InternalError("answer without a lease"));
    return;
  }
  RenewBy(held_.Add(result.lease(), std::chrono::steady_clock::now()));
  operation.lease_done(std::move(*result.mutable_lease()));
}

void LeaseStream::Impl::FinishReport(const Operation& operation, v1::Result& result) {
  held_.Remove(operation.message.report().lease_id());
  v1::ReportResponse& response = *result.mutable_report();
  if (!operation.report_done) {
    if (response.has_next()) Report(GivenBack(response.next().lease_id()), nullptr);
    return;
  }
  if (response.has_next()) RenewBy(held_.Add(response.next(), std::chrono::steady_clock::now()));
  operation.report_done(std::move(response));
}

// A broker that lives may let a lease wait for a key; nothing else makes the time longer.
SteadyTime LeaseStream::Impl::WaitsSince(const Operation& operation) const {
  return operation.sent && !operation.refused ? std::max(operation.since, heard_) : operation.since;
}

// Sees to it that an operation that has just been added is given up in time.
void LeaseStream::Impl::Watch() {
  if (!watch_at_) WatchAt(SteadyTime::max());
}

void LeaseStream::Impl::WatchAt(SteadyTime time) {
  const SteadyTime now = std::chrono::steady_clock::now();
  watch_at_ = std::min(time, now + absl::ToChronoNanoseconds(options_.hold / kLooks));
  watch_timer_.Set(absl::FromChrono(*watch_at_ - now), gate_, Later(&Impl::OnWatchTimer));
}

void LeaseStream::Impl::OnWatchTimer() {
  const SteadyTime now = std::chrono::steady_clock::now();
  const auto hold = absl::ToChronoNanoseconds(options_.hold);
  // We stood still ourselves: first comes what the broker may have said meanwhile.
  if (now - *watch_at_ > hold / 2) return WatchAt(SteadyTime::max());
  std::vector<OperationId> late;
  SteadyTime next = SteadyTime::max();
  for (const auto& [id, operation] : operations_) {
    if (!operation.wanted()) continue;
    const SteadyTime until = WaitsSince(operation) + hold;
    if (until <= now) {
      late.push_back(id);
    } else {
      next = std::min(next, until);
    }
  }
  watch_at_.reset();
  if (next != SteadyTime::max()) WatchAt(next);
  std::sort(late.begin(), late.end());
  for (const OperationId id : late) {
    if (!stopped_) GiveUp(id);
  }
  if (!stopped_) Ping();
}

// Asks for a sign of life when something waits and no answer is due that would be one.
void LeaseStream::Impl::Ping() {
  Flush();
  if (!watch_at_ || !connected_ || answer_due_) return;
  outgoing_.add_operations()->mutable_ping();
  Flush();
  answer_due_ = true;
}

void LeaseStream::Impl::GiveUp(OperationId id) {
  const auto it = operations_.find(id);
  if (it == operations_.end() || !it->second.wanted()) return;
  const LeaseCallback lease_done = std::move(it->second.lease_done);
  const ReportCallback report_done = std::move(it->second.report_done);
  Abandon(id);
  const absl::Status away =
      absl::UnavailableError(connected_ ? "no answer of the broker" : "no connection to the broker");
  if (lease_done) {
    lease_done(away);
  } else {
    report_done(away);
  }
}

LeaseStream::LeaseStream(const std::shared_ptr<grpc::Channel>& channel, Options options)
    : impl_(std::make_shared<Impl>(channel, std::move(options))) {}

LeaseStream::~LeaseStream() {
  impl_->Stop(absl::ZeroDuration());
}

void LeaseStream::Start() {
  impl_->Connect();
}

LeaseStream::OperationId LeaseStream::Lease(v1::LeaseRequest request, LeaseCallback done) {
  return impl_->Lease(std::move(request), std::move(done));
}

LeaseStream::OperationId LeaseStream::Report(v1::ReportRequest request, ReportCallback done) {
  return impl_->Report(std::move(request), std::move(done));
}

void LeaseStream::Progress(v1::ProgressRequest request) {
  impl_->Progress(std::move(request));
}
void LeaseStream::Cancel(OperationId id) {
  impl_->Cancel(id);
}
void LeaseStream::Flush() {
  impl_->Flush();
}
void LeaseStream::Stop(absl::Duration bound) {
  impl_->Stop(bound);
}
bool LeaseStream::answer_due() const {
  return impl_->answer_due();
}
bool LeaseStream::connected() const {
  return impl_->connected();
}
size_t LeaseStream::held() const {
  return impl_->held();
}
size_t LeaseStream::pending() const {
  return impl_->pending();
}
uint64_t LeaseStream::dropped_reports() const {
  return impl_->dropped_reports();
}

}  // namespace ccr::client
