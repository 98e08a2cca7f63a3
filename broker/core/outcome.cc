#include "broker/core/outcome.h"

#include <array>
#include <cstddef>

namespace ccr::core {
namespace {

struct Code {
  std::string_view code;    // as the provider writes it
  std::string_view reason;  // as we do
};

// OpenAI, Anthropic, DeepSeek, OpenRouter, Moonshot, Mistral, Google, DashScope.
constexpr Code kQuotaCodes[] = {
    {"insufficient_quota", "insufficient_quota"},
    {"billing_hard_limit_reached", "billing_hard_limit_reached"},
    {"billing_not_active", "billing_not_active"},
    {"billing_error", "billing_error"},
    {"credit_balance_too_low", "credit_balance_too_low"},
    {"insufficient_credits", "insufficient_credits"},
    {"insufficient_balance", "insufficient_balance"},
    {"insufficient_funds", "insufficient_funds"},
    {"payment_required", "payment_required"},
    {"spend_limit_reached", "spend_limit_reached"},
    {"spend_limit_exceeded", "spend_limit_exceeded"},
    {"spending_limit_reached", "spending_limit_reached"},
    {"usage_limit_reached", "usage_limit_reached"},
    {"quota_exceeded", "quota_exceeded"},
    {"exceeded_current_quota_error", "exceeded_current_quota"},
    {"BILLING_DISABLED", "billing_disabled"},
    {"Arrearage", "arrearage"},
};

// Anthropic, OpenAI, Groq, Google, DashScope.
constexpr Code kAuthCodes[] = {
    {"authentication_error", "authentication_error"},
    {"invalid_api_key", "invalid_api_key"},
    {"incorrect_api_key", "incorrect_api_key"},
    {"expired_api_key", "expired_api_key"},
    {"invalid_authentication", "invalid_authentication"},
    {"invalid_authentication_error", "invalid_authentication"},
    {"account_deactivated", "account_deactivated"},
    {"access_terminated", "access_terminated"},
    {"invalid_token", "invalid_token"},
    {"API_KEY_INVALID", "api_key_invalid"},
    {"UNAUTHENTICATED", "unauthenticated"},
    {"ACCESS_TOKEN_EXPIRED", "access_token_expired"},
    {"CONSUMER_SUSPENDED", "consumer_suspended"},
    {"InvalidApiKey", "invalid_api_key"},
};

constexpr std::string_view kOverloadedError = "overloaded_error";
constexpr std::string_view kGeminiInvalidKey = "API_KEY_INVALID";
constexpr std::string_view kPlainReasons[] = {
    "rate_limited", "overloaded", "incomplete_response", "http_invalid",       "failure",
    "auth",         "failures",   kAuthSuspected,        kPermissionSuspected,
};
constexpr TransportError kTransportErrors[] = {
    TransportError::kConnect,     TransportError::kConnectTimeout,
    TransportError::kSend,        TransportError::kFirstByteTimeout,
    TransportError::kIdleTimeout, TransportError::kRead,
    TransportError::kName,        TransportError::kRefused,
    TransportError::kTls,         TransportError::kProxy,
};

constexpr int kLowestStatus = 100;
constexpr int kHighestStatus = 599;
constexpr size_t kHttpReasonSize = 8;  // "http_NNN"
using HttpReasons = std::array<std::array<char, kHttpReasonSize>, kHighestStatus - kLowestStatus + 1>;

constexpr HttpReasons MakeHttpReasons() {
  HttpReasons reasons{};
  for (int status = kLowestStatus; status <= kHighestStatus; ++status) {
    auto digit = [](int value) { return static_cast<char>('0' + value % 10); };
    reasons[status - kLowestStatus] = {'h', 't', 't', 'p', '_', digit(status / 100), digit(status / 10), digit(status)};
  }
  return reasons;
}

constexpr HttpReasons kHttpReasons = MakeHttpReasons();

std::string_view HttpReason(int status) {
  if (status < kLowestStatus || status > kHighestStatus) return "http_invalid";
  return {kHttpReasons[status - kLowestStatus].data(), kHttpReasonSize};
}

template <size_t size>
const Code* FindCode(const Code (&codes)[size], const Evidence& evidence) {
  for (const Code& entry : codes) {
    if (entry.code == evidence.error_code || entry.code == evidence.error_type) return &entry;
  }
  return nullptr;
}

bool Says(const Evidence& evidence, std::string_view code) {
  return evidence.error_type == code || evidence.error_code == code;
}

Verdict WithoutStatus(const Evidence& evidence) {
  if (evidence.transport_error != TransportError::kNone) {
    return {Outcome::kUpstreamFailure, ToString(evidence.transport_error)};
  }
  if (!evidence.success.has_value()) return {Outcome::kNeutral, "no_evidence"};
  return *evidence.success ? Verdict{Outcome::kSuccess, "success"} : Verdict{Outcome::kUpstreamFailure, "failure"};
}

Verdict Ok(const Evidence& evidence) {
  if (evidence.transport_error != TransportError::kNone) {
    return {Outcome::kUpstreamFailure, ToString(evidence.transport_error)};
  }
  if (!evidence.incomplete) return {Outcome::kSuccess, "success"};
  if (Says(evidence, kOverloadedError)) return {Outcome::kOverloaded, "overloaded"};
  return {Outcome::kUpstreamFailure, "incomplete_response"};
}

Verdict ClientError(const Evidence& evidence) {
  const int status = evidence.http_status;
  if (status == 400 && Says(evidence, kGeminiInvalidKey)) return {Outcome::kAuth, "api_key_invalid"};
  if (const Code* code = FindCode(kQuotaCodes, evidence)) return {Outcome::kQuota, code->reason};
  if (status == 402) return {Outcome::kQuota, HttpReason(status)};
  if (status == 401 || status == 403) {
    if (const Code* code = FindCode(kAuthCodes, evidence)) return {Outcome::kAuth, code->reason};
    return {status == 401 ? Outcome::kAuth : Outcome::kPermission, HttpReason(status)};
  }
  if (status == 429) return {Outcome::kRateLimited, "rate_limited"};
  if (Says(evidence, kOverloadedError)) return {Outcome::kOverloaded, "overloaded"};
  return {status == 408 ? Outcome::kUpstreamFailure : Outcome::kCallerFault, HttpReason(status)};
}

Verdict ServerError(const Evidence& evidence) {
  const int status = evidence.http_status;
  if (status == 529 || status == 503 || Says(evidence, kOverloadedError)) return {Outcome::kOverloaded, "overloaded"};
  return {Outcome::kUpstreamFailure, HttpReason(status)};
}

}  // namespace

Verdict Classify(const Evidence& evidence) {
  if (evidence.client_cancelled) return {Outcome::kNeutral, "client_cancelled"};
  if (evidence.caller_fault) return {Outcome::kNeutral, "caller_fault"};
  const int status = evidence.http_status;
  if (status == 0) return WithoutStatus(evidence);
  if (status >= 200 && status < 300) return Ok(evidence);
  if (status >= 300 && status < 400) return {Outcome::kNeutral, HttpReason(status)};
  if (status >= 400 && status < 500) return ClientError(evidence);
  if (status >= 500 && status < 600) return ServerError(evidence);
  return {Outcome::kUpstreamFailure, HttpReason(status)};
}

bool MeansLimit(std::string_view reason) {
  if (reason == "rate_limited" || reason == HttpReason(402)) return true;
  for (const Code& known : kQuotaCodes) {
    if (known.reason == reason) return true;
  }
  return false;
}

std::string_view StaticReason(std::string_view reason) {
  for (std::string_view known : kPlainReasons) {
    if (known == reason) return known;
  }
  for (const auto& known : kHttpReasons) {
    if (std::string_view(known.data(), kHttpReasonSize) == reason) return {known.data(), kHttpReasonSize};
  }
  for (const Code& known : kQuotaCodes) {
    if (known.reason == reason) return known.reason;
  }
  for (const Code& known : kAuthCodes) {
    if (known.reason == reason) return known.reason;
  }
  for (TransportError known : kTransportErrors) {
    if (ToString(known) == reason) return ToString(known);
  }
  return "restored";
}

}  // namespace ccr::core
