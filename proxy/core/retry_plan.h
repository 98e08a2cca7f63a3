// When a request is tried again, with which keys, and what the client is told in the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "proxy/core/evidence/evidence.h"
#include "proxy/core/routing_table.h"

namespace ccr::proxy {

// The broker's advice on an attempt.
enum class Advice {
  kRelay,   // its answer is the answer
  kRotate,  // the key's fault: another key, without counting as a retry
  kRetry,   // the provider's fault: counted against max_retries
};

// Whether the broker is asked before the client hears: it could advise another attempt after every error. What is
// relayed at once: 2xx that are answers, 3xx, cancelled requests, faults of the proxy.
bool MayRetry(const Evidence& evidence);

// What follows an attempt that failed.
struct NextStep {
  enum class Do {
    kTry,      // with the lease that came with the answer to the report
    kAcquire,  // a lease, at `at`, without RetryPlan::key_faults()
    kAnswer,   // as RetryPlan::End() says; a lease that came is given back
  };
  enum class Why {
    kLeased,         // kTry: a lease came
    kBackoff,        // kAcquire: the same keys, after a provider's fault
    kQueue,          // kAcquire: some key may come back while the request may wait
    kReturnUnknown,  // kAcquire: all are rate limited, and when one is back only the refusal of a lease will tell
    kAdvised,        // kAnswer, as all below: the broker says so
    kOff,            // retry_on_failure is off
    kDeadline,       // the request's time is over
    kAttemptsUsed,   // kMaxAttempts
    kRefusalsUsed,   // kMaxRefusals
    kRetriesUsed,    // max_retries
    kNoKey,          // no key is left, and the request may wait no longer
  };
  Do what = Do::kAnswer;
  Why why = Why::kAdvised;
  absl::Time at = absl::InfinitePast();
  bool keep = false;  // the attempt's answer is the one that End() would name now: only the last kept is needed
};

std::string_view ToString(NextStep::Why why);  // "leased", "backoff", ...

// What the client gets when no attempt follows on this route.
struct Ending {
  enum class Kind {
    kRelay,        // the kept answer, as it is
    kRateLimited,  // the kept answer, a 429, with `retry_after` in place of its own
    kNoKey,        // 429: every key was at fault, one at least for a rate limit
    kKeysRefused,  // the provider refused the key, not the request
    kQuotaGone,    // the same, for its quota
    kNoAnswer,     // there was none
  };
  Kind kind = Kind::kRelay;
  std::optional<absl::Duration> retry_after;  // the earliest known return of a key
  bool others_may_serve = false;              // nothing about the request itself: another provider may do better
};

// The attempts of one request on one route, before its first downstream byte. The way of one that failed:
//
//   report it, asking for a lease without exclude() at once where WantsNext() says so; earlier_* = refusals(),
//   overloads()
//   OnNoLease() when that was refused
//   Decide() -> the next step
//
// Attempts are at most 1 + one for each key at fault + max_retries, and never more than kMaxAttempts; none follows the
// kMaxRefusals-th that was refused.
// Thread-compatible.
class RetryPlan {
 public:
  static constexpr size_t kMaxAttempts = 64;
  static constexpr uint32_t kMaxRefusals = 5;  // as the broker's
  static constexpr absl::Duration kBackoffBase = absl::Milliseconds(200);
  static constexpr absl::Duration kBackoffCap = absl::Seconds(5);

  // No attempt is made at `deadline` or later. With provider.retry_on_failure off there is one attempt. The
  // request waits for a key for provider.queue_wait in all, from `now` and without the time that attempts take.
  RetryPlan(const Provider& provider, absl::Time now, absl::Time deadline);

  // How long a lease that is asked for now may wait for a key.
  absl::Duration MaxWait(absl::Time now) const;

  // Whether the report of this evidence should ask for another lease.
  bool WantsNext(const Evidence& evidence, absl::Time now) const;

  // A lease was refused, with the earliest return of a key where it is known.
  void OnNoLease(std::optional<absl::Duration> retry_after) { no_lease_retry_after_ = retry_after; }

  // An attempt that failed, and the answer to its report.
  struct Failure {
    const Evidence& evidence;
    int status = 0;  // of the answer that the client would get; 0 = none
    Advice advice = Advice::kRelay;
    std::string_view fingerprint;  // of its key
    std::string_view outcome;      // the broker's name for it: "permission", "overloaded", ...
    bool leased = false;           // another lease came
    bool exhausted = false;        // the broker: no key did better, another model may
  };
  // Ends an attempt. After a provider's fault the same keys are tried again after 200 ms x 2^(retries - 1), the upper
  // half of it by `random` in [0, 1), at most 5 s, and never before the provider's Retry-After; not at all when that is
  // above 5 s or the deadline is nearer.
  NextStep Decide(const Failure& failure, absl::Time now, double random);

  // Fingerprints of the keys that failed this request, each once.
  const std::vector<std::string>& exclude() const { return exclude_; }
  // Those whose own fault it was: not to be tried again for this request even when no other is left. A rate-limited key
  // is not among them: it is good again when the broker says so.
  const std::vector<std::string>& key_faults() const { return key_faults_; }

  size_t attempts() const { return attempts_; }
  uint32_t refusals() const { return refusals_; }  // outcomes "auth" and "permission"
  uint32_t overloads() const { return overloads_; }

  // At least one attempt is recorded. The kept answer is the one that was advised to be relayed; else the first
  // provider's fault that has an HTTP status; else the first provider's fault; else the last attempt's.
  Ending End() const;

 private:
  struct Kept {
    int status = 0;
    std::string outcome;
    bool foreign_path = false;
    bool exhausted = false;
  };

  void Record(const Failure& failure);
  bool Keeps(const Failure& failure) const;                                // once it is counted
  std::optional<NextStep::Why> Over(absl::Time now, Advice advice) const;  // why no attempt may follow
  std::optional<absl::Duration> Backoff(const Failure& failure, absl::Time now, double random) const;

  const bool enabled_;
  const uint32_t max_retries_;
  const absl::Time deadline_;
  absl::Time queue_until_;

  size_t attempts_ = 0;
  uint32_t retries_ = 0;  // advised, including one beyond max_retries that is not made
  uint32_t refusals_ = 0;
  uint32_t overloads_ = 0;
  std::vector<std::string> exclude_;
  std::vector<std::string> key_faults_;
  bool relayed_ = false;                                // the last was advised so
  bool provider_fault_ = false;                         // one was advised to be retried
  bool status_of_provider_ = false;                     // and one of these had a status
  bool rate_limited_ = false;                           // one was a key's 429
  std::optional<absl::Duration> earliest_retry_after_;  // of these
  std::optional<absl::Duration> no_lease_retry_after_;
  Kept kept_;
};

}  // namespace ccr::proxy
