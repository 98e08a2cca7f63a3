#include "proxy/formats/responses/errors.h"

#include <array>

#include "absl/strings/match.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/conversation/context_overflow.h"
#include "proxy/formats/openai_error.h"
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

}  // namespace

std::string_view CodeOf(ErrorKind kind) {
  if (kind == ErrorKind::kInvalid) return "invalid_prompt";
  const std::string_view code = OpenAiWordsOf(kind).code;
  return code.empty() ? std::string_view("server_error") : code;
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

}  // namespace ccr::proxy::responses
