// The HTTP status of an error that came without one.
#pragma once

#include <string_view>

namespace ccr::proxy {

// A fault of the provider's own, as long as nothing says otherwise.
inline constexpr int kUnknownErrorStatus = 502;

// What the provider would have answered, had it failed before it said 200. First match wins:
//   `number`, its numeric code, where that is a status of 400 or above (OpenRouter, Gemini)
//   `code`, then `type`, in the words of Anthropic, OpenAI and Google and of servers that speak like them, exactly:
//     invalid_request_error, INVALID_ARGUMENT  400      rate_limit_error, insufficient_quota  429
//     authentication_error, invalid_api_key    401      api_error, server_error, INTERNAL     500
//     billing_error, insufficient_balance      402      service_unavailable, UNAVAILABLE      503
//     permission_error, PERMISSION_DENIED      403      timeout_error, DEADLINE_EXCEEDED      504
//     not_found_error, model_not_found         404      overloaded_error                      529
//     ... error_status.cc has all of them
//   otherwise kUnknownErrorStatus
int StatusOfError(int number, std::string_view code, std::string_view type);

}  // namespace ccr::proxy
