#include "proxy/core/retry_plan.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace ccr::proxy {
namespace {

// A likely fault of the provider, as the broker will judge: counted against max_retries.
bool LooksLikeProviderFault(const Evidence& evidence) {
  return evidence.http_status == 0 || evidence.http_status >= 500;
}

bool IsRefusal(const Evidence& evidence) {
  return evidence.http_status == 401 || evidence.http_status == 403;
}

void AddOnce(std::string_view fingerprint, std::vector<std::string>* list) {
  if (fingerprint.empty() || std::find(list->begin(), list->end(), fingerprint) != list->end()) return;
  list->emplace_back(fingerprint);
}

std::optional<absl::Duration> Earlier(std::optional<absl::Duration> a, std::optional<absl::Duration> b) {
  return a && b ? std::min(*a, *b) : (a ? a : b);
}

}  // namespace

bool MayRetry(const Evidence& evidence) {
  if (evidence.client_cancelled || evidence.caller_fault) return false;
  if (evidence.http_status == 0) return evidence.transport_error != TransportError::kNone;
  return evidence.http_status >= 400 || evidence.error_in_answer;
}

std::string_view ToString(NextStep::Why why) {
  static constexpr std::array<std::string_view, 11> kNames = {
      "leased",   "backoff",       "queue",         "return_unknown", "advised", "off",
      "deadline", "attempts_used", "refusals_used", "retries_used",   "no_key"};
  return kNames[static_cast<size_t>(why)];
}

RetryPlan::RetryPlan(const Provider& provider, absl::Time now, absl::Time deadline)
    : enabled_(provider.retry_on_failure),
      max_retries_(provider.max_retries),
      deadline_(deadline),
      queue_until_(std::min(now + provider.queue_wait, deadline)) {}

absl::Duration RetryPlan::MaxWait(absl::Time now) const {
  return std::max(queue_until_ - now, absl::ZeroDuration());
}

bool RetryPlan::WantsNext(const Evidence& evidence, absl::Time now) const {
  if (!enabled_ || now >= deadline_ || attempts_ + 1 >= kMaxAttempts || !MayRetry(evidence)) return false;
  if (IsRefusal(evidence) && refusals_ + 1 >= kMaxRefusals) return false;
  return !LooksLikeProviderFault(evidence) || retries_ < max_retries_;
}

NextStep RetryPlan::Decide(const Failure& failure, absl::Time now, double random) {
  using Do = NextStep::Do;
  using Why = NextStep::Why;
  const bool keep = Keeps(failure);
  Record(failure);
  if (keep) kept_ = {failure.status, std::string(failure.outcome), failure.evidence.foreign_path, failure.exhausted};
  if (const std::optional<Why> why = Over(now, failure.advice)) return {Do::kAnswer, *why, now, keep};
  if (failure.leased) return {Do::kTry, Why::kLeased, now, keep};
  if (const auto wait = Backoff(failure, now, random)) return {Do::kAcquire, Why::kBackoff, now + *wait, keep};
  if (now < queue_until_) return {Do::kAcquire, Why::kQueue, now, keep};
  const bool untold = rate_limited_ && !provider_fault_ && !earliest_retry_after_ && !no_lease_retry_after_;
  if (untold) return {Do::kAcquire, Why::kReturnUnknown, now, keep};
  return {Do::kAnswer, Why::kNoKey, now, keep};
}

bool RetryPlan::Keeps(const Failure& failure) const {
  if (failure.advice == Advice::kRelay || !provider_fault_) return true;
  return failure.advice == Advice::kRetry && failure.status != 0 && !status_of_provider_;
}

void RetryPlan::Record(const Failure& failure) {
  AddOnce(failure.fingerprint, &exclude_);
  queue_until_ = std::min(queue_until_ + failure.evidence.total, deadline_);
  ++attempts_;
  if (failure.outcome == "auth" || failure.outcome == "permission") ++refusals_;
  if (failure.outcome == "overloaded") ++overloads_;
  relayed_ = failure.advice == Advice::kRelay;
  if (failure.advice == Advice::kRetry) {
    ++retries_;
    provider_fault_ = true;
    status_of_provider_ |= failure.status != 0;
  }
  if (failure.advice != Advice::kRotate) return;
  if (failure.outcome != "rate_limited") AddOnce(failure.fingerprint, &key_faults_);
  if (failure.status != 429) return;
  rate_limited_ = true;
  earliest_retry_after_ = Earlier(earliest_retry_after_, failure.evidence.retry_after);
}

std::optional<NextStep::Why> RetryPlan::Over(absl::Time now, Advice advice) const {
  using Why = NextStep::Why;
  if (advice == Advice::kRelay) return Why::kAdvised;
  if (!enabled_) return Why::kOff;
  if (now >= deadline_) return Why::kDeadline;
  if (attempts_ >= kMaxAttempts) return Why::kAttemptsUsed;
  if (advice == Advice::kRotate && refusals_ >= kMaxRefusals) return Why::kRefusalsUsed;
  if (advice == Advice::kRetry && retries_ > max_retries_) return Why::kRetriesUsed;
  return std::nullopt;
}

std::optional<absl::Duration> RetryPlan::Backoff(const Failure& failure, absl::Time now, double random) const {
  if (failure.advice != Advice::kRetry) return std::nullopt;
  const absl::Duration full = std::min(kBackoffCap, kBackoffBase * std::exp2(std::min(retries_ - 1, 10U)));
  const absl::Duration wait =
      std::max(full * (0.5 + 0.5 * random), failure.evidence.retry_after.value_or(absl::ZeroDuration()));
  if (wait > kBackoffCap || now + wait >= deadline_) return std::nullopt;
  return wait;
}

Ending RetryPlan::End() const {
  using Kind = Ending::Kind;
  if (!relayed_ && !provider_fault_ && rate_limited_) {
    const bool says_so = kept_.status == 429 && (kept_.outcome == "rate_limited" || kept_.outcome == "caller_fault");
    return {says_so ? Kind::kRateLimited : Kind::kNoKey, Earlier(earliest_retry_after_, no_lease_retry_after_), true};
  }
  const bool of_keys = kept_.outcome != "caller_fault";
  // A path that the caller chose may ask for rights that a good key does not have.
  if (!kept_.foreign_path && ((of_keys && kept_.status == 401) || kept_.outcome == "auth"))
    return {Kind::kKeysRefused, std::nullopt, true};
  if ((of_keys && kept_.status == 402) || kept_.outcome == "quota")
    return {Kind::kQuotaGone, no_lease_retry_after_, true};
  if (kept_.status == 0) return {Kind::kNoAnswer, std::nullopt, true};
  return {Kind::kRelay, std::nullopt, kept_.exhausted || kept_.status == 429 || kept_.status >= 500};
}

}  // namespace ccr::proxy
