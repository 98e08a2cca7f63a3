#include "proxy/core/error_body.h"

#include "proxy/core/json/text.h"

namespace ccr::proxy {
namespace {

std::string_view AnthropicType(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 504:
      return "timeout_error";
    case 529:
      return "overloaded_error";
    default:
      return status < 500 ? "invalid_request_error" : "api_error";
  }
}

struct OpenAiKind {
  std::string_view type;
  std::string_view code;  // as JSON
};

OpenAiKind OpenAiKindOf(int status) {
  switch (status) {
    case 401:
      return {"invalid_request_error", "\"invalid_api_key\""};
    case 403:
      return {"invalid_request_error", "\"forbidden\""};
    case 404:
      return {"invalid_request_error", "\"not_found\""};
    case 413:
      return {"invalid_request_error", "\"request_too_large\""};
    case 429:
      return {"rate_limit_error", "\"rate_limit_exceeded\""};
    case 503:
    case 529:
      return {"server_error", "\"service_unavailable\""};
    case 504:
      return {"server_error", "\"timeout\""};
    default:
      return status < 500 ? OpenAiKind{"invalid_request_error", "null"} : OpenAiKind{"server_error", "null"};
  }
}

// Of google.rpc.Code.
std::string_view GoogleStatus(int status) {
  switch (status) {
    case 401:
      return "UNAUTHENTICATED";
    case 403:
      return "PERMISSION_DENIED";
    case 404:
      return "NOT_FOUND";
    case 429:
      return "RESOURCE_EXHAUSTED";
    case 501:
      return "UNIMPLEMENTED";
    case 503:
    case 529:
      return "UNAVAILABLE";
    case 504:
      return "DEADLINE_EXCEEDED";
    default:
      return status < 500 ? "INVALID_ARGUMENT" : "INTERNAL";
  }
}

}  // namespace

std::string ErrorBody(Format format, int status, std::string_view message) {
  std::string body;
  if (format == Format::kAnthropic) {
    body.append("{\"type\":\"error\",\"error\":{\"type\":\"").append(AnthropicType(status)).append("\",\"message\":");
    body.append(JsonString(message)).append("}}");
    return body;
  }
  if (format == Format::kGemini) {
    body.append("{\"error\":{\"code\":").append(std::to_string(status)).append(",\"message\":");
    body.append(JsonString(message)).append(",\"status\":\"").append(GoogleStatus(status)).append("\"}}");
    return body;
  }
  const OpenAiKind kind = OpenAiKindOf(status);
  body.append("{\"error\":{\"message\":").append(JsonString(message)).append(",\"type\":\"").append(kind.type);
  body.append("\",\"param\":null,\"code\":").append(kind.code).append("}}");
  return body;
}

std::string SseErrorEvent(Format format, std::string_view message) {
  std::string event;
  if (format == Format::kResponses) {
    event.append("event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":");
    return event.append(JsonString(message)).append(",\"param\":null,\"sequence_number\":0}\n\n");
  }
  if (format == Format::kAnthropic) event = "event: error\n";
  return event.append("data: ").append(ErrorBody(format, 500, message)).append("\n\n");
}

}  // namespace ccr::proxy
