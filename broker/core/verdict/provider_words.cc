#include "broker/core/verdict/provider_words.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"

namespace ccr::core {
namespace {

using enum Meaning;
using Shape = NumberWord::Shape;

constexpr CodeWord kCodes[] = {
    // Account and key: Anthropic, OpenAI and those that speak like them.
    {"authentication_error", 401, kAuth, "authentication_error"},
    {"invalid_api_key", 401, kAuth, "invalid_api_key"},
    {"incorrect_api_key", 401, kAuth, "incorrect_api_key"},
    {"incorrect_api_key_error", 401, kAuth, "incorrect_api_key"},
    {"wrong_api_key", 401, kAuth, "invalid_api_key"},
    {"expired_api_key", 401, kAuth, "expired_api_key"},
    {"api_key_expired", 401, kAuth, "expired_api_key"},
    {"invalid_authentication", 401, kAuth, "invalid_authentication"},
    {"invalid_authentication_error", 401, kAuth, "invalid_authentication"},
    {"invalid_token", 401, kAuth, "invalid_token"},
    {"token_revoked", 401, kAuth, "token_revoked"},
    {"token_expired", 401, kAuth, "token_expired"},
    {"account_deactivated", 401, kAuth, "account_deactivated"},
    {"organization_deactivated", 401, kAuth, "organization_deactivated"},
    {"organization_disabled", 403, kAuth, "organization_disabled"},
    {"organization_restricted", 400, kAuth, "organization_restricted"},
    {"project_archived", 401, kAuth, "project_archived"},
    {"access_terminated", 401, kAuth, "access_terminated"},
    {"access_terminated_error", 403, kAuth, "access_terminated"},
    {"AuthenticationError", 401, kAuth, "authentication_error"},
    {"AuthError", 401, kAuth, "authentication_error"},
    {"API_KEY_INVALID", 400, kAuth, "api_key_invalid"},
    {"API_KEY_SERVICE_BLOCKED", 403, kPermission},
    {"UNAUTHENTICATED", 401, kAuth, "unauthenticated"},
    {"ACCESS_TOKEN_EXPIRED", 401, kAuth, "access_token_expired"},
    {"CONSUMER_SUSPENDED", 403, kAuth, "consumer_suspended"},
    {"CONSUMER_INVALID", 403, kAuth, "consumer_invalid"},
    {"InvalidApiKey", 401, kAuth, "invalid_api_key"},
    {"UnrecognizedClientException", 403, kAuth, "unrecognized_client"},
    {"ExpiredTokenException", 403, kAuth, "expired_token"},
    {"permission_error", 403},
    {"permission_denied_error", 403},
    {"PermissionDeniedError", 403},
    {"PERMISSION_DENIED", 403},
    {"AccessDeniedException", 403},
    {"forbidden", 403},

    // Money and quota.
    {"insufficient_quota", 429, kQuota, "insufficient_quota"},
    {"insufficient_user_quota", 403, kQuota, "insufficient_quota"},
    {"pre_consume_token_quota_failed", 403, kQuota, "insufficient_quota"},
    {"billing_hard_limit_reached", 429, kQuota, "billing_hard_limit_reached"},
    {"billing_not_active", 429, kQuota, "billing_not_active"},
    {"billing_error", 402, kQuota, "billing_error"},
    {"credit_balance_too_low", 400, kQuota, "credit_balance_too_low"},
    {"insufficient_credits", 402, kQuota, "insufficient_credits"},
    {"insufficient_balance", 402, kQuota, "insufficient_balance"},
    {"insufficient_balance_error", 402, kQuota, "insufficient_balance"},
    {"insufficient_funds", 402, kQuota, "insufficient_funds"},
    {"payment_required", 402, kQuota, "payment_required"},
    {"payment_required_error", 402, kQuota, "payment_required"},
    {"PAYMENT_REQUIRED", 402, kQuota, "payment_required"},
    {"spend_limit_reached", 429, kQuota, "spend_limit_reached"},
    {"spend_limit_exceeded", 429, kQuota, "spend_limit_exceeded"},
    {"spending_limit_reached", 429, kQuota, "spending_limit_reached"},
    {"budget_exceeded", 429, kQuota, "budget_exceeded"},
    {"blocked_api_access", 403, kQuota, "spend_limit_reached"},
    {"usage_limit_reached", 429, kQuota, "usage_limit_reached"},
    {"usage_not_included", 429, kQuota, "usage_not_included"},
    {"quota_exceeded", 429, kQuota, "quota_exceeded"},
    {"exceeded_current_quota_error", 429, kQuota, "exceeded_current_quota"},
    {"BILLING_DISABLED", 403, kQuota, "billing_disabled"},
    {"Arrearage", 400, kQuota, "arrearage"},
    {"PrepaidBillOverdue", 429, kQuota, "arrearage"},
    {"PostpaidBillOverdue", 429, kQuota, "arrearage"},
    {"CommodityNotPurchased", 429, kQuota, "not_purchased"},
    {"AllocationQuota.FreeTierOnly", 403, kQuota, "quota_exceeded"},
    {"AccountOverdueError", 403, kQuota, "arrearage"},
    {"OperationDenied.ServiceOverdue", 403, kQuota, "arrearage"},
    {"QuotaExceeded", 429, kQuota, "quota_exceeded"},
    {"SetLimitExceeded", 429, kQuota, "usage_limit_reached"},
    {"FailedOperation.ResourcePackExhausted", 429, kQuota, "quota_exceeded"},
    {"FailedOperation.FreeResourcePackExhausted", 429, kQuota, "quota_exceeded"},
    {"CreditsError", 401, kQuota, "insufficient_credits"},
    {"MonthlyLimitError", 401, kQuota, "usage_limit_reached"},
    {"UserLimitError", 401, kQuota, "usage_limit_reached"},
    {"FreeUsageLimitError", 429, kQuota, "usage_limit_reached"},
    {"SubscriptionUsageLimitError", 429, kQuota, "usage_limit_reached"},
    {"personal-team-blocked:spending-limit", 403, kQuota, "spending_limit_reached"},
    {"team-blocked:spending-limit", 403, kQuota, "spending_limit_reached"},

    // Rates. What is meant by them beyond a 429, the sentence says.
    {"rate_limit_error", 429},
    {"rate_limit_exceeded", 429},
    {"rate_limit_reached_error", 429},
    {"too_many_requests", 429},
    {"too_many_requests_error", 429},
    {"tokens", 429},
    {"requests", 429},
    {"RESOURCE_EXHAUSTED", 429},
    {"RATE_LIMIT_EXCEEDED", 429},
    {"RateLimitError", 429},
    {"RateLimitReached", 429},
    {"Throttling", 429, kRateLimited},
    {"Throttling.RateQuota", 429, kRateLimited},
    {"Throttling.AllocationQuota", 429, kRateLimited},
    {"ThrottlingException", 429, kRateLimited},
    {"token_quota_exceeded", 429, kRateLimited},
    {"request_quota_exceeded", 429, kRateLimited},
    {"Some resource has been exhausted", 429},

    // The state of the provider.
    {"overloaded_error", 529, kOverloaded},
    {"engine_overloaded_error", 503, kOverloaded},
    {"engine_overloaded", 503, kOverloaded},
    {"overloaded", 503, kOverloaded},
    {"model_overloaded", 503, kOverloaded},
    {"ServerOverloaded", 503, kOverloaded},
    {"over_capacity", 503, kOverloaded},
    {"capacity_exceeded", 503, kOverloaded},
    {"queue_exceeded", 503, kOverloaded},
    {"service_tier_capacity_exceeded", 503, kOverloaded},
    {"service_unavailable", 503},
    {"service_unavailable_error", 503},
    {"ServiceUnavailableError", 503},
    {"UNAVAILABLE", 503},
    {"api_error", 500},
    {"server_error", 500},
    {"internal_error", 500},
    {"internal_server_error", 500},
    {"InternalServerError", 500},
    {"InternalError", 500},
    {"INTERNAL", 500},
    {"UNKNOWN", 500},
    {"timeout", 504},
    {"timeout_error", 504},
    {"DEADLINE_EXCEEDED", 504},

    // The model, for this key or for everybody.
    {"model_not_found", 404, kModel},
    {"model_not_found_error", 404, kModel},
    {"resource_not_found_error", 404, kModel},
    {"ModelNotFound", 404, kModel},
    {"ModelNotOpen", 404, kModel},
    {"InvalidEndpointOrModel.NotFound", 404, kModel},
    {"DeploymentNotFound", 404, kModel},
    {"Model.AccessDenied", 403, kModel},
    {"AccessDenied.Unpurchased", 403, kModel},
    {"model_permission_blocked_project", 403, kModel},
    {"model_permission_blocked_org", 403, kModel},
    {"model_terms_required", 400, kModel},
    {"ModelError", 401, kModel},
    {"not_found_error", 404},
    {"NotFoundError", 404},
    {"NOT_FOUND", 404},

    // The request, certainly.
    {"context_length_exceeded", 400, kRequest},
    {"request_too_large", 413, kRequest},
    {"content_filter", 400, kRequest},
    {"content_policy_violation", 400, kRequest},
    {"moderation", 403, kRequest},
    {"moderation_blocked", 400, kRequest},
    {"DataInspectionFailed", 400, kRequest},
    {"data_inspection_failed", 400, kRequest},
    {"SensitiveContentDetected", 400, kRequest},
    {"invalid_prompt", 400, kRequest},
    {"invalid_image", 400, kRequest},
    {"invalid_image_format", 400, kRequest},
    {"invalid_type", 400, kRequest},
    {"invalid_value", 400, kRequest},
    {"missing_required_parameter", 400, kRequest},
    {"unknown_parameter", 400, kRequest},
    {"unsupported_parameter", 400, kRequest},
    {"unsupported_value", 400, kRequest},
    {"string_above_max_length", 400, kRequest},
    {"array_above_max_length", 400, kRequest},
    {"integer_below_min_value", 400, kRequest},
    {"integer_above_max_value", 400, kRequest},
    {"decimal_below_min_value", 400, kRequest},
    {"decimal_above_max_value", 400, kRequest},
    {"invalid_function_parameters", 400, kRequest},
    {"previous_response_not_found", 400, kRequest},
    {"tool_use_failed", 400, kRequest},
    {"json_validate_failed", 400, kRequest},
    {"model_decommissioned", 400, kRequest},
    {"unsupported_country_region_territory", 403, kRequest},
    {"InvalidParameter", 400, kRequest},
    {"OUT_OF_RANGE", 400, kRequest},
    {"invalid_request_error", 400},
    {"BadRequestError", 400},
    {"INVALID_ARGUMENT", 400},
    {"FAILED_PRECONDITION", 400},
};

constexpr NumberWord kNumbers[] = {
    {Shape::kZhipu, "1000", 401, kAuth, "authentication_error"},
    {Shape::kZhipu, "1001", 401, kAuth, "authentication_error"},
    {Shape::kZhipu, "1002", 401, kAuth, "invalid_token"},
    {Shape::kZhipu, "1003", 401, kAuth, "token_expired"},
    {Shape::kZhipu, "1004", 401, kAuth, "authentication_error"},
    {Shape::kZhipu, "1110", 429, kQuota, "account_inactive"},
    {Shape::kZhipu, "1111", 429, kAuth, "authentication_error"},
    {Shape::kZhipu, "1112", 429, kAuth, "account_locked"},
    {Shape::kZhipu, "1113", 429, kQuota, "insufficient_balance"},
    {Shape::kZhipu, "1120", 429, kAuth, "account_locked"},
    {Shape::kZhipu, "1121", 429, kAuth, "account_locked"},
    {Shape::kZhipu, "1210", 400, kRequest},
    {Shape::kZhipu, "1211", 400, kModel},
    {Shape::kZhipu, "1212", 400, kRequest},
    {Shape::kZhipu, "1213", 400, kRequest},
    {Shape::kZhipu, "1214", 400, kRequest},
    {Shape::kZhipu, "1215", 400, kRequest},
    {Shape::kZhipu, "1220", 403, kModel},
    {Shape::kZhipu, "1230", 500, kUpstream},
    {Shape::kZhipu, "1234", 500, kUpstream},
    {Shape::kZhipu, "1261", 400, kRequest},
    {Shape::kZhipu, "1301", 400, kRequest},
    {Shape::kZhipu, "1302", 429, kRateLimited},
    {Shape::kZhipu, "1303", 429, kRateLimited},
    {Shape::kZhipu, "1304", 429, kQuota, "usage_limit_reached"},
    {Shape::kZhipu, "1305", 503, kOverloaded},
    {Shape::kZhipu, "1308", 429, kQuota, "usage_limit_reached"},
    {Shape::kZhipu, "1309", 429, kQuota, "usage_limit_reached"},
    {Shape::kZhipu, "1310", 429, kQuota, "usage_limit_reached"},
    {Shape::kMiniMax, "1000", 500, kUpstream},
    {Shape::kMiniMax, "1001", 504, kUpstream},
    {Shape::kMiniMax, "1002", 429, kRateLimited},
    {Shape::kMiniMax, "1004", 401, kAuth, "authentication_error"},
    {Shape::kMiniMax, "1008", 402, kQuota, "insufficient_balance"},
    {Shape::kMiniMax, "1013", 500, kUpstream},
    {Shape::kMiniMax, "1024", 500, kUpstream},
    {Shape::kMiniMax, "1026", 400, kRequest},
    {Shape::kMiniMax, "1027", 400, kRequest},
    {Shape::kMiniMax, "1033", 500, kUpstream},
    {Shape::kMiniMax, "1039", 429, kRateLimited},
    {Shape::kMiniMax, "1041", 429, kRateLimited},
    {Shape::kMiniMax, "1042", 400, kRequest},
    {Shape::kMiniMax, "2013", 400, kRequest},
    {Shape::kMiniMax, "2049", 401, kAuth, "invalid_api_key"},
    {Shape::kMiniMax, "2056", 429, kQuota, "usage_limit_reached"},
    {Shape::kSiliconFlow, "20012", 400, kModel},
    {Shape::kSiliconFlow, "20015", 400, kRequest},
    {Shape::kSiliconFlow, "30001", 403, kQuota, "insufficient_balance"},
    {Shape::kSiliconFlow, "30003", 403, kModel},
    {Shape::kSiliconFlow, "50505", 503, kOverloaded},
    {Shape::kSiliconFlow, "50603", 503, kOverloaded},
};

// What begins a sentence comes first: it is exact.
constexpr Phrase kPhrases[] = {
    {"Extra usage is required for long context", kUnbooked, "", true, true},
    {"Request too large for", kThisRequest, "", true, true},
    {"prompt is too long", kRequest, "", true, false},
    {"This model's maximum context length is", kRequest, "", true, false},
    {"Your credit balance is too low", kQuota, "credit_balance_too_low", true, true},
    {"You have reached your specified API usage limits", kQuota, "usage_limit_reached", true, true},
    {"You have run out of credits", kQuota, "insufficient_credits", true, true},
    {"Your team has either used all available credits", kQuota, "insufficient_credits", true, true},
    {"Insufficient credits", kQuota, "insufficient_credits", true, true},
    {"Insufficient balance", kQuota, "insufficient_balance", true, true},
    {"Sorry, your account balance is insufficient", kQuota, "insufficient_balance", true, true},
    {"Key limit exceeded", kQuota, "usage_limit_reached", true, true},
    {"Incorrect API key provided", kAuth, "incorrect_api_key", true, false},
    {"Your API key was reported as leaked", kAuth, "api_key_leaked", true, false},
    {"Organization has been restricted", kAuth, "organization_restricted", true, false},
    {"This organization has been disabled", kAuth, "organization_disabled", true, false},
    {"OAuth authentication is currently not allowed", kPermission, "", true, false},

    {"credit balance", kQuota, "credit_balance_too_low", false, true},
    {"insufficient balance", kQuota, "insufficient_balance", false, true},
    {"balance is insufficient", kQuota, "insufficient_balance", false, true},
    {"insufficient credit", kQuota, "insufficient_credits", false, true},
    {"out of credits", kQuota, "insufficient_credits", false, true},
    {"all available credits", kQuota, "insufficient_credits", false, true},
    {"insufficient funds", kQuota, "insufficient_funds", false, true},
    {"spending limit", kQuota, "spending_limit_reached", false, true},
    {"spend limit", kQuota, "spend_limit_reached", false, true},
    {"monthly limit", kQuota, "usage_limit_reached", false, true},
    {"will regain access", kQuota, "usage_limit_reached", false, true},
    {"key limit exceeded", kQuota, "usage_limit_reached", false, true},
    {"arrear", kQuota, "arrearage", false, true},
    {"overdue", kQuota, "arrearage", false, true},
    {"payment method", kQuota, "billing_not_active", false, false},
    {"quota", kQuota, "quota_exceeded", false, false},
    {"billing", kQuota, "billing_not_active", false, false},
    {"reported as leaked", kAuth, "api_key_leaked", false, false},
    {"has been restricted", kAuth, "organization_restricted", false, false},
    {"has been disabled", kAuth, "organization_disabled", false, false},
    {"has been suspended", kAuth, "account_suspended", false, false},
    {"is suspended", kAuth, "account_suspended", false, false},
    {"has been deactivated", kAuth, "account_deactivated", false, false},
    {"has been revoked", kAuth, "token_revoked", false, false},
    {"has been banned", kAuth, "account_suspended", false, false},
    {"api key expired", kAuth, "expired_api_key", false, false},
    {"api key has expired", kAuth, "expired_api_key", false, false},
    {"api key not valid", kAuth, "api_key_invalid", false, false},
    {"invalid api key", kAuth, "invalid_api_key", false, false},
};

constexpr std::string_view kRateWords[] = {
    "rate",     "too many", "per minute",   "per second",  "per hour", "per day", "per-minute", "try again",
    "retry",    "throttl",  "slow down",    "concurren",   "quota",    "limit",   "exhausted",  "capacity",
    "overload", "busy",     "high traffic", "high demand", "queue",    "frequen",
};

bool HasDigits(std::string_view text, size_t count) {
  return text.size() == count && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

bool HasShape(const Evidence& evidence, Shape shape) {
  switch (shape) {
    case Shape::kZhipu:
      return (evidence.error_type.empty() || evidence.error_type == "envelope") && HasDigits(evidence.error_code, 4);
    case Shape::kMiniMax:
      return evidence.error_type == "base_resp";
    case Shape::kSiliconFlow:
      return (evidence.error_type.empty() || evidence.error_type == "envelope") && HasDigits(evidence.error_code, 5);
  }
  return false;
}

const CodeWord* FindWord(std::string_view word) {
  if (word.empty()) return nullptr;
  const auto* const found =
      std::find_if(std::begin(kCodes), std::end(kCodes), [word](const CodeWord& known) { return known.word == word; });
  return found == std::end(kCodes) ? nullptr : found;
}

}  // namespace

bool ContainsWords(std::string_view text, std::string_view part) {
  const auto same = [](char a, char b) { return absl::ascii_tolower(a) == absl::ascii_tolower(b); };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

const CodeWord* FindCode(const Evidence& evidence) {
  const CodeWord* const code = FindWord(evidence.error_code);
  const CodeWord* const type = FindWord(evidence.error_type);
  // The more exact word of the two.
  if (code != nullptr && (code->meaning != kNothing || type == nullptr || type->meaning == kNothing)) return code;
  return type;
}

const NumberWord* FindNumber(const Evidence& evidence) {
  for (const NumberWord& known : kNumbers) {
    if (known.number == evidence.error_code && HasShape(evidence, known.shape)) return &known;
  }
  return nullptr;
}

const Phrase* FindPhrase(std::string_view message, int status) {
  if (message.empty()) return nullptr;
  for (const Phrase& known : kPhrases) {
    if (status == 429 && !known.also_429) continue;
    if (ContainsWords(known.begins ? message.substr(0, known.words.size()) : message, known.words)) return &known;
  }
  return nullptr;
}

bool SpeaksOfRate(std::string_view message) {
  return std::any_of(std::begin(kRateWords), std::end(kRateWords),
                     [message](std::string_view words) { return ContainsWords(message, words); });
}

absl::Span<const CodeWord> CodeWords() {
  return kCodes;
}
absl::Span<const NumberWord> NumberWords() {
  return kNumbers;
}
absl::Span<const Phrase> Phrases() {
  return kPhrases;
}

}  // namespace ccr::core
