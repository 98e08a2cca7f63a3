// When a request is tried again, with which keys, and what the client is told in the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "proxy/core/evidence.h"
#include "proxy/core/routing_table.h"

namespace ccr::proxy {

// Whether the broker could advise another attempt after this evidence. Cheap, and false for what is relayed at once:
// 2xx and 3xx, the caller's own 4xx (unless its code speaks of the key or its quota), cancelled requests, faults of the
// proxy.
bool MayRetry(const Evidence& evidence);

// The attempts of one request, before its first downstream byte. The way of one attempt that failed:
//
//   if (!plan.WantsNext(evidence, now)) -> report without `next`, relay
//   report with next.exclude = plan.exclude(), earlier_* = plan.refusals(), plan.overloads()
//   plan.Record(evidence, advice, fingerprint, outcome)
//   if (!plan.MayContinue(now)) -> give a granted lease back, answer as plan.Final() says
//   a lease was granted -> the next attempt, at once
//   none was, and wait = plan.Backoff(now, random) -> after it, acquire one with exclude = plan.key_faults()
//   else, if requests may queue for a key -> acquire one so, with the same exclusions
//   else -> answer as plan.Final() says
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

  // The broker's advice on an attempt.
  enum class Advice {
    kRelay,   // its answer is the answer
    kRotate,  // the key's fault: another key, without counting as a retry
    kRetry,   // the provider's fault: counted against max_retries
  };

  // No attempt is made at `deadline` or later. With provider.retry_on_failure off there is one attempt.
  RetryPlan(const Provider& provider, absl::Time deadline);

  // Whether the report of this evidence, not yet recorded, should ask for another lease.
  bool WantsNext(const Evidence& evidence, absl::Time now) const;

  // Ends an attempt. `outcome` is the broker's name for it ("permission", "overloaded", ...).
  void Record(const Evidence& evidence, Advice advice, std::string_view fingerprint, std::string_view outcome);

  // Whether another attempt may follow the recorded ones.
  bool MayContinue(absl::Time now) const;

  // How long to wait before the same keys are tried again, when no other is ready: after a provider's fault
  // 200 ms x 2^(retries - 1), the upper half of it by `random` in [0, 1), at most 5 s, and never less than the
  // provider's Retry-After. Nothing when waiting is no use: after a key's fault, when Retry-After is above 5 s, when
  // the deadline is nearer.
  std::optional<absl::Duration> Backoff(absl::Time now, double random) const;

  // Fingerprints of the keys that failed this request, each once.
  const std::vector<std::string>& exclude() const { return exclude_; }
  // Those whose own fault it was: not to be tried again for this request even when no other is left. A rate-limited key
  // is not among them: it is good again when the broker says so.
  const std::vector<std::string>& key_faults() const { return key_faults_; }

  size_t attempts() const { return attempts_; }
  uint32_t rotations() const { return rotations_; }
  uint32_t retries() const { return retries_; }    // advised, including one beyond max_retries that is not made
  uint32_t refusals() const { return refusals_; }  // outcomes "auth" and "permission"
  uint32_t overloads() const { return overloads_; }

  struct Answer {
    // Every key was at fault and one at least is rate limited: 429, with retry_after (the earliest known) where there
    // is one.
    bool rate_limited = false;
    std::optional<absl::Duration> retry_after;
    // Otherwise the attempt whose answer to relay, from 0: one that was advised to be relayed; else the first
    // provider's fault that has an HTTP status; else the first provider's fault; else the last attempt.
    size_t attempt = 0;
  };
  // What to answer if no attempt follows. At least one is recorded. After each Record only the attempt named here needs
  // keeping: it changes to a later attempt or stays.
  Answer Final() const;

 private:
  bool BudgetLeft() const;

  const bool enabled_;
  const uint32_t max_retries_;
  const absl::Time deadline_;

  size_t attempts_ = 0;
  uint32_t rotations_ = 0;
  uint32_t retries_ = 0;
  uint32_t refusals_ = 0;
  uint32_t overloads_ = 0;
  std::vector<std::string> exclude_;
  std::vector<std::string> key_faults_;
  Advice last_advice_ = Advice::kRelay;
  std::optional<absl::Duration> last_retry_after_;
  std::optional<size_t> provider_fault_;  // the first
  bool provider_fault_has_status_ = false;
  bool rate_limited_ = false;
  std::optional<absl::Duration> earliest_retry_after_;
};

}  // namespace ccr::proxy
