#include "proxy/formats/openai_error.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "proxy/core/json/text.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy {
namespace {

// Not "RESOURCE_EXHAUSTED", not a number.
bool IsWord(std::string_view word) {
  return !word.empty() && word != "error" && std::all_of(word.begin(), word.end(), [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) || c == '_';
  });
}

}  // namespace

OpenAiErrorWords OpenAiWordsOf(ErrorKind kind) {
  constexpr std::string_view kRefused = "invalid_request_error";
  switch (kind) {
    case ErrorKind::kInvalid:
      return {kRefused, ""};
    case ErrorKind::kContext:
      return {kRefused, "context_length_exceeded"};
    case ErrorKind::kAuth:
      return {kRefused, "invalid_api_key"};
    case ErrorKind::kQuota:
      return {"insufficient_quota", "insufficient_quota"};
    case ErrorKind::kPermission:
      return {kRefused, "forbidden"};
    case ErrorKind::kNotFound:
      return {kRefused, "not_found"};
    case ErrorKind::kTooLarge:
      return {kRefused, "request_too_large"};
    case ErrorKind::kRateLimited:
      return {"rate_limit_error", "rate_limit_exceeded"};
    case ErrorKind::kOverloaded:
      return {"server_error", "service_unavailable"};
    case ErrorKind::kTimeout:
      return {"server_error", "timeout"};
    case ErrorKind::kUpstream:
      break;
  }
  return {"server_error", ""};
}

std::string WriteOpenAiError(const AnswerError& error) {
  const OpenAiErrorWords words = OpenAiWordsOf(error.kind);
  const bool context = error.kind == ErrorKind::kContext;
  const std::string_view type = IsWord(error.type) && !context ? std::string_view(error.type) : words.type;
  const std::string_view code = IsWord(error.code) && !context ? std::string_view(error.code) : words.code;
  std::string body = R"({"error":{"message":)";
  AppendJsonString(
      error.message.empty() ? absl::StrCat("the upstream answered with HTTP status ", error.status) : error.message,
      &body);
  body += R"(,"type":)";
  AppendJsonString(type, &body);
  body += R"(,"param":null,"code":)";
  body += code.empty() ? "null" : JsonString(code);
  return body += "}}";
}

}  // namespace ccr::proxy
