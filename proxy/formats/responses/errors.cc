#include "proxy/formats/responses/errors.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/core/json/text.h"
#include "proxy/formats/conversation/context_overflow.h"
#include "proxy/formats/upstream_error.h"

namespace ccr::proxy::responses {
namespace {

struct KnownWord {
  std::string_view word;
  ErrorKind kind;
  int status;
};

// Of `code` or `type`, the first that is found in one of them.
constexpr std::array<KnownWord, 22> kWords = {{
    {"context_length_exceeded", ErrorKind::kContext, 400},
    {"string_above_max_length", ErrorKind::kTooLarge, 400},
    {"insufficient_quota", ErrorKind::kQuota, 429},
    {"usage_not_included", ErrorKind::kQuota, 429},
    {"usage_limit_reached", ErrorKind::kQuota, 429},
    {"billing", ErrorKind::kQuota, 402},
    {"rate_limit", ErrorKind::kRateLimited, 429},
    {"slow_down", ErrorKind::kRateLimited, 429},
    {"overloaded", ErrorKind::kOverloaded, 503},
    {"service_unavailable", ErrorKind::kOverloaded, 503},
    {"timeout", ErrorKind::kTimeout, 504},
    {"invalid_api_key", ErrorKind::kAuth, 401},
    {"authentication", ErrorKind::kAuth, 401},
    {"permission", ErrorKind::kPermission, 403},
    {"model_not_found", ErrorKind::kNotFound, 404},
    {"not_found", ErrorKind::kNotFound, 404},
    {"invalid_prompt", ErrorKind::kInvalid, 400},
    {"invalid_request", ErrorKind::kInvalid, 400},
    {"invalid_image", ErrorKind::kInvalid, 400},
    {"bio_policy", ErrorKind::kInvalid, 400},
    {"data_residency", ErrorKind::kInvalid, 400},
    {"server_error", ErrorKind::kUpstream, 500},
}};

void Classify(AnswerError* error, bool status_is_known) {
  error->kind = KindOfStatus(error->status);
  for (const KnownWord& known : kWords) {
    if (!absl::StrContains(error->code, ToAbsl(known.word)) && !absl::StrContains(error->type, ToAbsl(known.word))) {
      continue;
    }
    // The types of nearly all errors of OpenAI's say less than a status.
    const bool vague = known.kind == ErrorKind::kInvalid || known.kind == ErrorKind::kUpstream;
    if (vague && status_is_known) break;
    error->kind = known.kind;
    if (!status_is_known) error->status = known.status;
    break;
  }
  ReadContextOverflow(error);
}

// A word that clients of this format know the like of: not "RESOURCE_EXHAUSTED", not a number.
bool IsWord(std::string_view word) {
  return !word.empty() && word != "error" && std::all_of(word.begin(), word.end(), [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) || c == '_';
  });
}

struct Shape {
  std::string_view type;
  std::string_view code;  // null where it is empty
};

Shape ShapeOf(const AnswerError& error) {
  constexpr std::string_view kRefused = "invalid_request_error";
  switch (error.kind) {
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

}  // namespace

std::string_view CodeOf(ErrorKind kind) {
  AnswerError error;
  error.kind = kind;
  if (kind == ErrorKind::kInvalid) return "invalid_prompt";
  const Shape shape = ShapeOf(error);
  return shape.code.empty() ? std::string_view("server_error") : shape.code;
}

AnswerError ReadErrorObject(const json::object& error, int status) {
  AnswerError read;
  const UpstreamError words = ReadUpstreamError(json::object({{"error", error}}), status);
  read.status = words.status;
  read.message = words.message;
  read.type = FindText(error, "type");
  read.code = FindText(error, "code");
  Classify(&read, /*status_is_known=*/words.status != status);
  return read;
}

AnswerError ReadError(int status, std::string_view body) {
  AnswerError read;
  read.status = status;
  const absl::StatusOr<json::value> parsed = ParseJson(body);
  if (!parsed.ok()) {
    read.message = UpstreamErrorMessage(status, body);
  } else {
    read.message = ReadUpstreamError(*parsed, status).message;
    const json::object* object = parsed->if_object();
    const json::object* inner = object == nullptr ? nullptr : FindObject(*object, "error");
    if (inner != nullptr) {
      read.type = FindText(*inner, "type");
      read.code = FindText(*inner, "code");
    }
  }
  Classify(&read, /*status_is_known=*/true);
  return read;
}

std::string WriteError(const AnswerError& error) {
  const Shape shape = ShapeOf(error);
  const bool context = error.kind == ErrorKind::kContext;
  const std::string_view type = IsWord(error.type) && !context ? std::string_view(error.type) : shape.type;
  const std::string_view code = IsWord(error.code) && !context ? std::string_view(error.code) : shape.code;
  std::string body = R"({"error":{"message":)";
  AppendJsonString(
      error.message.empty() ? absl::StrCat("the upstream answered with HTTP status ", error.status) : error.message,
      &body);
  body += ",\"type\":";
  AppendJsonString(type, &body);
  body += ",\"param\":null,\"code\":";
  body += code.empty() ? "null" : JsonString(code);
  return body.append("}}");
}

}  // namespace ccr::proxy::responses
