#include "proxy/formats/anthropic/errors.h"

#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/json_util.h"
#include "proxy/formats/upstream_error.h"

namespace ccr::proxy::anthropic {
namespace {

constexpr size_t kMaxErrorText = 4096;

struct ErrorType {
  std::string_view type;
  int status;
  ErrorKind kind;
};

constexpr std::array<ErrorType, 10> kErrorTypes = {{
    {"invalid_request_error", 400, ErrorKind::kInvalid},
    {"authentication_error", 401, ErrorKind::kAuth},
    {"billing_error", 402, ErrorKind::kQuota},
    {"permission_error", 403, ErrorKind::kPermission},
    {"not_found_error", 404, ErrorKind::kNotFound},
    {"request_too_large", 413, ErrorKind::kTooLarge},
    {"rate_limit_error", 429, ErrorKind::kRateLimited},
    {"timeout_error", 504, ErrorKind::kTimeout},
    {"overloaded_error", 529, ErrorKind::kOverloaded},
    {"api_error", 500, ErrorKind::kUpstream},
}};

const ErrorType* FindType(std::string_view type) {
  for (const ErrorType& known : kErrorTypes) {
    if (known.type == type) return &known;
  }
  return nullptr;
}

std::string_view TypeOfKind(ErrorKind kind) {
  if (kind == ErrorKind::kContext) kind = ErrorKind::kInvalid;
  for (const ErrorType& known : kErrorTypes) {
    if (known.kind == kind) return known.type;
  }
  return "api_error";
}

bool SaysLittle(ErrorKind kind) {
  return kind == ErrorKind::kInvalid || kind == ErrorKind::kUpstream;
}

// A status that the answer had says more than a type that says little; that of an answer that began well says nothing.
void Judge(int status, AnswerError* error) {
  const ErrorType* known = FindType(error->type);
  const bool told = status >= 400 && status != 500;
  error->status = told ? status : known != nullptr ? known->status : 500;
  const bool by_status = known == nullptr || (told && SaysLittle(known->kind));
  error->kind = by_status ? KindOfStatus(error->status) : known->kind;
}

std::string ContextMessage(const AnswerError& error) {
  const std::string_view words = error.message;
  if (absl::StrContains(ToAbsl(words), "prompt is too long") ||
      absl::StrContains(ToAbsl(words), "`max_tokens` exceed context limit")) {
    return error.message;
  }
  const bool fits_alone = error.prompt_tokens > 0 && error.prompt_tokens < error.limit;
  if (fits_alone && error.asked > 0) {
    return absl::StrCat("input length and `max_tokens` exceed context limit: ", error.prompt_tokens, " + ", error.asked,
                        " > ", error.limit);
  }
  if (error.prompt_tokens > error.limit && error.limit > 0) {
    return absl::StrCat("prompt is too long: ", error.prompt_tokens, " tokens > ", error.limit, " maximum");
  }
  return absl::StrCat("prompt is too long", words.empty() ? "" : ": ", ToAbsl(words));
}

}  // namespace

AnswerError ReadError(int status, std::string_view body) {
  AnswerError error;
  const absl::StatusOr<json::value> parsed = ParseJson(body);
  if (parsed.ok() && parsed->is_object()) {
    const json::object& object = parsed->get_object();
    const json::object* inner = FindObject(object, "error");
    error.type = FindText(inner == nullptr ? object : *inner, "type");
    if (error.type == "error") error.type.clear();
    if (inner != nullptr) error.code = FindText(*inner, "code");
  }
  if (parsed.ok()) {
    error.message = ReadUpstreamError(*parsed, status).message;
  } else {
    error.message = ToStd(absl::StripAsciiWhitespace(ToAbsl(body.substr(0, kMaxErrorText))));
  }
  Judge(status, &error);
  if (error.message.empty()) error.message = absl::StrCat("the upstream answered with HTTP status ", error.status);
  return error;
}

AnswerError ReadErrorEvent(std::string_view data) {
  return ReadError(500, data);
}

std::string WriteError(const AnswerError& error) {
  const ErrorKind kind = SaysLittle(error.kind) ? KindOfStatus(error.status) : error.kind;
  std::string body = R"({"type":"error","error":{"type":")";
  body.append(TypeOfKind(kind)).append(R"(","message":)");
  AppendJsonString(kind == ErrorKind::kContext ? ContextMessage(error) : error.message, &body);
  return body.append("}}");
}

}  // namespace ccr::proxy::anthropic
