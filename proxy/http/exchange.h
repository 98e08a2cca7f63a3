// One request of a client: from its last byte to the answer and the report.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "proxy/core/retry_plan.h"
#include "proxy/core/target.h"
#include "proxy/http/attempt.h"
#include "proxy/http/response_writer.h"
#include "proxy/http/server.h"
#include "proxy/ports/lease_source.h"
#include "proxy/request/own_answer.h"
#include "proxy/request/request.h"
#include "proxy/request/routed_request.h"

namespace ccr::proxy {

// Routes, leases, tries, relays, reports. The request's body is dropped as soon as it cannot be needed again. Each
// lease it was granted is reported exactly once.
//
//   Start -> own page or error
//         -> lease -> attempt -> relayed -> report
//              ^         v
//           [backoff] <- report + next lease      (nothing relayed yet)
//                        v
//              the best answer there was, or the next route of the fallback list
class Exchange final : private Attempt::Owner {
 public:
  // `request` is complete, as far as its endpoint needs it, and admitted; it and `target`, which is its own, outlive
  // the exchange. There is a routing table when the target's endpoint needs one. `done` is called once the answer is
  // complete in `writer`, never from the constructor. It must not destroy the exchange.
  Exchange(Server& server, ResponseWriter& writer, Request& request, const Target& target, std::function<void()> done);
  ~Exchange() override;  // the client is gone when it is not done: cancels and reports
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  void Start();
  void Tick(absl::Time now);
  void OnWritable();  // the writer is low again
  bool done() const { return Is<Done>(); }

 private:
  // What it waits for. Each call, callback and tick ends in another state or leaves it as it is; a call of the broker
  // is open in kLeasing and kReporting alone, and an attempt runs in kTrying alone.
  struct Begun {};
  struct Leasing {
    LeaseSource::CallId call = 0;
    absl::Time asked;
  };
  struct Trying {};
  struct Reporting {  // what the attempt came to; the next step depends on the answer
    LeaseSource::CallId call = 0;
  };
  struct BackingOff {
    absl::Time until;
  };
  struct Done {};  // `done` was called
  using State = std::variant<Begun, Leasing, Trying, Reporting, BackingOff, Done>;
  template <typename S>
  bool Is() const {
    return std::holds_alternative<S>(state_);
  }

  void OnBodyUnneeded() override;
  const Translation* OtherForm() override { return routed_.other_form(); }
  void OnAnswer(AttemptAnswer answer) override;
  void OnRelayed(const Evidence& evidence) override;

  void ServeHealth();
  void ServeModels();
  void Forward();
  void BeginRoute();
  void TellSource(std::string_view key);
  bool BeginNextRoute();  // false: there is none, or no time

  LeaseRequest WantedLease(const std::vector<std::string>& exclude, absl::Duration max_wait) const;
  void Acquire(const std::vector<std::string>& exclude);
  void OnLease(LeaseAnswer answer);
  void StartAttempt(Lease lease);
  UpstreamRequest BuildRequest(const Lease& lease, std::string url) const;

  void AskBroker();
  void OnReported(const ReportAnswer& report, std::optional<LeaseAnswer> next);
  void AnswerBest();
  void Relay(const AttemptAnswer& answer, std::optional<absl::Duration> retry_after);
  void Expire();
  void Abandon();
  void CancelCall();

  void ReportOnly(const std::string& lease_id, const Evidence& evidence);
  void GiveBack(const std::string& lease_id);  // it was not used
  void ObserveAttempt(const Evidence& evidence, std::string_view outcome);
  void LogEnd() const;
  void Fail(int status, std::string message);
  void Answer(const OwnAnswer& answer);
  void Finish();

  Server& server_;
  ResponseWriter& writer_;
  Request& request_;
  const std::function<void()> done_;
  const absl::Time started_;
  const Target& target_;
  const Format client_format_;

  std::shared_ptr<const RoutingTable> table_;
  State state_;

  // Once routed; the plan and all behind it are of the present route.
  RoutedRequest routed_;
  absl::Time deadline_ = absl::InfiniteFuture();
  std::optional<RetryPlan> plan_;

  std::optional<absl::Duration> lease_wait_;
  std::unique_ptr<Attempt> attempt_;  // the last one
  AttemptSummary::Kind kind_ = AttemptSummary::Kind::kFirst;
  AttemptAnswer answer_;    // of the attempt being reported
  AttemptAnswer kept_;      // of those reported, as the plan chose
  std::string kept_key_;    // its name
  std::string last_lease_;  // that the broker was asked about

  // For the log.
  uint32_t attempts_ = 0;  // of all routes
  std::string_view end_ = "complete";
  std::string last_outcome_;
  Evidence last_evidence_;
};

}  // namespace ccr::proxy
