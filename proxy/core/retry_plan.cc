#include "proxy/core/retry_plan.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/ascii.h"

namespace ccr::proxy {
namespace {

// Parts of error types and codes with which a provider says by any 4xx that it is the key, its account or its quota.
constexpr std::array<std::string_view, 9> kKeyWords = {"key",   "auth",    "quota", "billing", "credit",
                                                       "spend", "balance", "limit", "overload"};

bool SpeaksOfKey(const std::string& word) {
  const std::string lower = absl::AsciiStrToLower(word);
  return std::any_of(kKeyWords.begin(), kKeyWords.end(),
                     [&](std::string_view part) { return lower.find(part) != lower.npos; });
}

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

}  // namespace

bool MayRetry(const Evidence& evidence) {
  if (evidence.client_cancelled || evidence.caller_fault) return false;
  const int status = evidence.http_status;
  if (status == 0) return evidence.transport_error != TransportError::kNone;
  if (status >= 500 || status == 401 || status == 402 || status == 403 || status == 408 || status == 429) return true;
  return status >= 400 && (SpeaksOfKey(evidence.error_type) || SpeaksOfKey(evidence.error_code));
}

RetryPlan::RetryPlan(const Provider& provider, absl::Time deadline)
    : enabled_(provider.retry_on_failure), max_retries_(provider.max_retries), deadline_(deadline) {}

bool RetryPlan::WantsNext(const Evidence& evidence, absl::Time now) const {
  if (!enabled_ || now >= deadline_ || attempts_ + 1 >= kMaxAttempts || !MayRetry(evidence)) return false;
  if (IsRefusal(evidence) && refusals_ + 1 >= kMaxRefusals) return false;
  return !LooksLikeProviderFault(evidence) || retries_ < max_retries_;
}

void RetryPlan::Record(const Evidence& evidence, Advice advice, std::string_view fingerprint,
                       std::string_view outcome) {
  AddOnce(fingerprint, &exclude_);
  last_advice_ = advice;
  last_retry_after_ = evidence.retry_after;
  if (outcome == "auth" || outcome == "permission") ++refusals_;
  if (outcome == "overloaded") ++overloads_;
  if (advice == Advice::kRotate) {
    ++rotations_;
    if (outcome != "rate_limited") AddOnce(fingerprint, &key_faults_);
    if (evidence.http_status == 429) {
      rate_limited_ = true;
      if (evidence.retry_after.has_value()) {
        earliest_retry_after_ = std::min(earliest_retry_after_.value_or(*evidence.retry_after), *evidence.retry_after);
      }
    }
  } else if (advice == Advice::kRetry) {
    ++retries_;
    const bool has_status = evidence.http_status != 0;
    if (!provider_fault_.has_value() || (has_status && !provider_fault_has_status_)) {
      provider_fault_ = attempts_;
      provider_fault_has_status_ = has_status;
    }
  }
  ++attempts_;
}

bool RetryPlan::BudgetLeft() const {
  if (!enabled_ || attempts_ >= kMaxAttempts) return false;
  switch (last_advice_) {
    case Advice::kRelay:
      return false;
    case Advice::kRotate:
      return refusals_ < kMaxRefusals;
    case Advice::kRetry:
      return retries_ <= max_retries_;
  }
  return false;
}

bool RetryPlan::MayContinue(absl::Time now) const {
  return now < deadline_ && BudgetLeft();
}

std::optional<absl::Duration> RetryPlan::Backoff(absl::Time now, double random) const {
  if (last_advice_ != Advice::kRetry || !MayContinue(now)) return std::nullopt;
  const absl::Duration full = std::min(kBackoffCap, kBackoffBase * std::exp2(std::min(retries_ - 1, 10U)));
  const absl::Duration wait = std::max(full * (0.5 + 0.5 * random), last_retry_after_.value_or(absl::ZeroDuration()));
  if (wait > kBackoffCap || now + wait >= deadline_) return std::nullopt;
  return wait;
}

RetryPlan::Answer RetryPlan::Final() const {
  Answer answer;
  answer.attempt = attempts_ - 1;
  if (last_advice_ == Advice::kRelay) return answer;
  if (provider_fault_.has_value()) {
    answer.attempt = *provider_fault_;
    return answer;
  }
  answer.rate_limited = rate_limited_;
  answer.retry_after = earliest_retry_after_;
  return answer;
}

}  // namespace ccr::proxy
