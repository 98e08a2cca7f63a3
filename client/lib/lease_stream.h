// The proxy's connection to the broker: leases and reports of one event loop, multiplexed and batched over one stream.
#pragma once

#include <grpcpp/channel.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ccr/broker/v1/key_broker.pb.h"

namespace ccr::client {

namespace v1 = ::ccr::broker::v1;

// Operations leave in batches and come back as callbacks, whatever happens to the connection in between:
//   - A broken stream is opened again by itself, after 50 ms doubling to 500 ms, with jitter. The leases still held are
//     reasserted and unanswered operations are sent again; the broker sees to it that a report counts once.
//   - A Lease that has waited `hold` for a connection, or for any sign of life of a broker that has it, fails with
//     Unavailable; one that waits for a key at a broker that lives does not. So does a Report's callback, but the report
//     itself stays queued, without its `next`, until the broker is back.
//   - A lease that nobody wants any more (Cancel) is given back as the caller's fault.
//   - A lease that is held for half its ttl is renewed, and again after as long.
//
// All calls, callbacks and hooks happen on one thread, that of Options::executor; callbacks never run inside a call.
class LeaseStream {
 public:
  // Runs the task later on the loop's thread. Called from any thread, must not run the task inside. One task serves a
  // whole batch of answers.
  using Executor = std::function<void(std::function<void()>)>;

  struct Options {
    std::string client;         // who this is, for the broker's logs
    std::string session_token;  // unguessable, 16 to 64 bytes, one per LeaseStream
    Executor executor;
    std::function<void(bool connected)> on_state;  // may be empty
    absl::Duration hold = absl::Seconds(5);
    size_t max_queued_reports = 100'000;  // without a connection; beyond it the oldest are dropped
    absl::Duration min_backoff = absl::Milliseconds(50);
    absl::Duration max_backoff = absl::Milliseconds(500);
    uint64_t jitter_seed = 0;
  };

  using OperationId = uint64_t;  // never 0
  using LeaseCallback = std::function<void(absl::StatusOr<v1::LeaseResponse>)>;
  using ReportCallback = std::function<void(absl::StatusOr<v1::ReportResponse>)>;

  // `channel` should be its own (MakeBrokerChannel).
  LeaseStream(const std::shared_ptr<grpc::Channel>& channel, Options options);
  ~LeaseStream();  // Stop(ZeroDuration())
  LeaseStream(const LeaseStream&) = delete;
  LeaseStream& operator=(const LeaseStream&) = delete;

  void Start();

  // Both queue an operation until the next Flush(). A status given to `done` carries the broker's details
  // (broker_status.h). `done` of a report may be empty: fire and forget.
  OperationId Lease(v1::LeaseRequest request, LeaseCallback done);
  OperationId Report(v1::ReportRequest request, ReportCallback done);
  // A good answer has begun: queued until the next Flush(), never answered, and dropped when the lease's Report comes
  // before that. Sent again after a reconnect, for as long as the lease is held. Nothing for a lease that is not held.
  void Progress(v1::ProgressRequest request);
  // `done` is not called any more. A report is sent all the same. Unknown and finished operations are ignored.
  void Cancel(OperationId id);

  // Sends what was queued since the last call as one message: at once, or, while the broker owes an answer to the
  // message before, together with what else gathers until that answer is here. So batches grow with the load, and an
  // idle stream adds no delay. Call it once per loop turn.
  void Flush();

  // Sends what is queued, ends the stream and blocks for at most `bound` until the broker has taken it. No callback and
  // no hook is called afterwards; only destruction may follow.
  void Stop(absl::Duration bound);

  // An answer is due at once and brings about the next flush: what is queued now needs none of its own.
  bool answer_due() const;
  bool connected() const;  // the broker has answered our hello
  size_t held() const;     // leases granted and not yet reported
  size_t pending() const;  // operations not yet answered
  uint64_t dropped_reports() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ccr::client
