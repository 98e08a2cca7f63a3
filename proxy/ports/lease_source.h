// The proxy's view of the broker: leases for requests.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "broker/base/secret.h"
#include "proxy/core/evidence/evidence.h"
#include "proxy/core/retry_plan.h"
#include "proxy/core/routing_table.h"

namespace ccr::proxy {

struct Lease {
  std::string id;
  std::string key_name;
  std::string key_fingerprint;
  std::string credential_header;
  std::string credential_prefix;
  Secret credential;
  std::string base_url;
  bool trial = false;  // others wait for its verdict
};

struct LeaseRequest {
  std::string pool;
  std::string model;
  std::string session;
  std::vector<std::string> exclude;  // fingerprints
  std::string retry_of;              // the lease of this request that was reported last
  absl::Duration max_wait;
  std::string request_id;
  uint64_t estimated_tokens = 0;  // 0 = not known
};

// Why there is no lease. `status` has the broker's code: kResourceExhausted, kFailedPrecondition, kNotFound,
// kInvalidArgument, kUnavailable (broker away for longer than the bound), kCancelled.
struct LeaseFailure {
  absl::Status status;
  std::optional<absl::Duration> retry_after;
};

struct LeaseAnswer {
  std::optional<Lease> lease;
  LeaseFailure failure;  // when there is no lease
};

struct ReportAnswer {
  std::string outcome;  // "success", "rate_limited", ...: for logs and metrics
  std::string reason;
  Advice advice = Advice::kRelay;
  int http_status = 0;              // that the evidence stands for, as the broker has it; 0 = none
  bool exhausted = false;           // where no key does better, another model may
  std::optional<LeaseAnswer> next;  // when one was asked for and the advice is to try again
};

struct ReportRequest {
  std::string lease_id;
  Evidence evidence;
  std::optional<LeaseRequest> next;
  uint32_t earlier_refusals = 0;
  uint32_t earlier_overloads = 0;
  std::string request_id;
};

struct ProgressRequest {
  std::string lease_id;
  int http_status = 0;  // 2xx
  absl::Duration first_byte;
  bool trial = false;  // of the lease
  std::vector<RateLimit> rate_limits = {};
};

// One per worker; every call and every callback happens on the worker's loop. Callbacks never run inside the call.
// Operations of one loop turn leave as one message.
class LeaseSource {
 public:
  using LeaseCallback = std::function<void(LeaseAnswer)>;
  using ReportCallback = std::function<void(ReportAnswer)>;
  using CallId = uint64_t;

  virtual ~LeaseSource() = default;
  virtual CallId Acquire(LeaseRequest request, LeaseCallback done) = 0;
  // `done` may be empty: fire and forget, delivered as soon as the broker is there. When the broker stays away, `done`
  // gets an answer with advice kRelay and outcome "unknown".
  virtual CallId Report(ReportRequest request, ReportCallback done) = 0;
  // A good answer has begun and goes on. Fire and forget: it leaves with the next message, a trial's with this turn's,
  // or not at all when the lease's Report comes before that.
  virtual void Progress(ProgressRequest request) = 0;
  // The caller no longer waits: `done` is not called, a lease that still arrives is given back.
  virtual void Cancel(CallId call) = 0;
  virtual bool connected() const = 0;
  // The newest table; nullptr until the first has arrived.
  virtual std::shared_ptr<const RoutingTable> routing() const = 0;
};

}  // namespace ccr::proxy
