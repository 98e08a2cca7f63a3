#include "proxy/core/error_status.h"

namespace ccr::proxy {
namespace {

struct Word {
  std::string_view word;
  int status;
};

constexpr Word kWords[] = {
    // Anthropic.
    {"invalid_request_error", 400},
    {"authentication_error", 401},
    {"billing_error", 402},
    {"credit_balance_too_low", 400},
    {"permission_error", 403},
    {"not_found_error", 404},
    {"request_too_large", 413},
    {"rate_limit_error", 429},
    {"api_error", 500},
    {"timeout_error", 504},
    {"overloaded_error", 529},
    // OpenAI.
    {"context_length_exceeded", 400},
    {"content_filter", 400},
    {"content_policy_violation", 400},
    {"invalid_prompt", 400},
    {"invalid_image", 400},
    {"string_above_max_length", 400},
    {"unsupported_parameter", 400},
    {"unsupported_value", 400},
    {"invalid_api_key", 401},
    {"incorrect_api_key", 401},
    {"expired_api_key", 401},
    {"invalid_authentication", 401},
    {"invalid_authentication_error", 401},
    {"account_deactivated", 401},
    {"access_terminated", 401},
    {"forbidden", 403},
    {"unsupported_country_region_territory", 403},
    {"model_not_found", 404},
    {"rate_limit_exceeded", 429},
    {"rate_limit_reached_error", 429},
    {"too_many_requests", 429},
    {"insufficient_quota", 429},
    {"billing_hard_limit_reached", 429},
    {"billing_not_active", 429},
    {"exceeded_current_quota_error", 429},
    {"quota_exceeded", 429},
    {"usage_limit_reached", 429},
    {"spend_limit_reached", 429},
    {"spend_limit_exceeded", 429},
    {"spending_limit_reached", 429},
    {"tokens", 429},
    {"requests", 429},
    {"server_error", 500},
    {"internal_error", 500},
    {"internal_server_error", 500},
    {"service_unavailable", 503},
    {"service_unavailable_error", 503},
    {"engine_overloaded", 503},
    {"engine_overloaded_error", 503},
    {"overloaded", 503},
    {"timeout", 504},
    // Providers that take money in advance.
    {"insufficient_balance", 402},
    {"insufficient_credits", 402},
    {"insufficient_funds", 402},
    {"payment_required", 402},
    // Google.
    {"API_KEY_INVALID", 400},
    {"INVALID_ARGUMENT", 400},
    {"FAILED_PRECONDITION", 400},
    {"OUT_OF_RANGE", 400},
    {"UNAUTHENTICATED", 401},
    {"ACCESS_TOKEN_EXPIRED", 401},
    {"PERMISSION_DENIED", 403},
    {"CONSUMER_SUSPENDED", 403},
    {"BILLING_DISABLED", 403},
    {"NOT_FOUND", 404},
    {"RESOURCE_EXHAUSTED", 429},
    {"RATE_LIMIT_EXCEEDED", 429},
    {"INTERNAL", 500},
    {"UNKNOWN", 500},
    {"UNAVAILABLE", 503},
    {"DEADLINE_EXCEEDED", 504},
    // vLLM, LiteLLM.
    {"BadRequestError", 400},
    {"AuthenticationError", 401},
    {"PermissionDeniedError", 403},
    {"NotFoundError", 404},
    {"RateLimitError", 429},
    {"InternalServerError", 500},
    {"ServiceUnavailableError", 503},
    // DashScope.
    {"InvalidParameter", 400},
    {"DataInspectionFailed", 400},
    {"InvalidApiKey", 401},
    {"Arrearage", 400},
    {"Throttling", 429},
    {"InternalError", 500},
};

constexpr bool IsErrorStatus(int number) {
  return number >= 400 && number <= 599;
}

int StatusOfWord(std::string_view word) {
  for (const Word& known : kWords) {
    if (known.word == word) return known.status;
  }
  return 0;
}

}  // namespace

int StatusOfError(int number, std::string_view code, std::string_view type) {
  if (IsErrorStatus(number)) return number;
  if (const int status = StatusOfWord(code)) return status;
  if (const int status = StatusOfWord(type)) return status;
  return kUnknownErrorStatus;
}

}  // namespace ccr::proxy
