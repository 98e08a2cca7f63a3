#include "proxy/formats/gemini/errors.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proxy/formats/conversation/context_overflow.h"
#include "proxy/formats/gemini/object_text.h"
#include "proxy/formats/upstream_error.h"

namespace ccr::proxy::gemini {
namespace {

// google.rpc.Code by HTTP status, as googleapis' code.proto maps them.
struct StatusWord {
  int status;
  std::string_view word;
  ErrorKind kind;
};

constexpr std::array<StatusWord, 13> kWords = {{{400, "INVALID_ARGUMENT", ErrorKind::kInvalid},
                                                {401, "UNAUTHENTICATED", ErrorKind::kAuth},
                                                {402, "RESOURCE_EXHAUSTED", ErrorKind::kQuota},
                                                {403, "PERMISSION_DENIED", ErrorKind::kPermission},
                                                {404, "NOT_FOUND", ErrorKind::kNotFound},
                                                {408, "DEADLINE_EXCEEDED", ErrorKind::kTimeout},
                                                {413, "INVALID_ARGUMENT", ErrorKind::kTooLarge},
                                                {429, "RESOURCE_EXHAUSTED", ErrorKind::kRateLimited},
                                                {500, "INTERNAL", ErrorKind::kUpstream},
                                                {502, "UNAVAILABLE", ErrorKind::kUpstream},
                                                {503, "UNAVAILABLE", ErrorKind::kOverloaded},
                                                {504, "DEADLINE_EXCEEDED", ErrorKind::kTimeout},
                                                {529, "UNAVAILABLE", ErrorKind::kOverloaded}}};

const StatusWord& WordOf(int status) {
  for (const StatusWord& word : kWords) {
    if (word.status == status) return word;
  }
  return status >= 400 && status < 500 ? kWords[0] : kWords[8];
}

std::string_view ReasonOf(const json::object& error) {
  const json::array* details = FindArray(error, "details");
  for (size_t i = 0; details != nullptr && i < details->size(); ++i) {
    const json::object* detail = (*details)[i].if_object();
    const std::string_view reason = detail == nullptr ? std::string_view() : FindText(*detail, "reason");
    if (!reason.empty()) return reason;
  }
  return {};
}

void Classify(AnswerError* error) {
  error->kind = WordOf(error->status).kind;
  if (error->type == "RESOURCE_EXHAUSTED" && error->status >= 500) error->kind = ErrorKind::kRateLimited;
  if (error->code == "API_KEY_INVALID") error->kind = ErrorKind::kAuth;
  ReadContextOverflow(error);
}

}  // namespace

AnswerError ReadError(int status, const json::value& body) {
  UpstreamError read = ReadUpstreamError(body, status);
  AnswerError error;
  error.status = read.status;
  error.message = std::move(read.message);
  const json::value* whole = body.is_array() && !body.get_array().empty() ? &body.get_array().front() : &body;
  if (const json::object* object = whole->if_object(); object != nullptr) {
    if (const json::object* inner = FindObject(*object, "error"); inner != nullptr) {
      error.type = FindText(*inner, "status");
      error.code = ReasonOf(*inner);
    }
  }
  Classify(&error);
  return error;
}

AnswerError ReadError(int status, std::string_view body) {
  const absl::StatusOr<json::value> parsed = ParseJson(body);
  if (parsed.ok()) return ReadError(status, *parsed);
  AnswerError error;
  error.status = status;
  error.message = UpstreamErrorMessage(status, body);
  Classify(&error);
  return error;
}

std::string WriteError(const AnswerError& error) {
  const bool context = error.kind == ErrorKind::kContext;
  const int status = context ? 400 : error.status;
  std::string message = error.message;
  if (context && error.limit > 0 && error.prompt_tokens > 0) {
    message = absl::StrCat("The input token count (", error.prompt_tokens,
                           ") exceeds the maximum number of tokens allowed (", error.limit, ").");
  }
  std::string body;
  ObjectText object(&body);
  ObjectText inner(object.Name("error"));
  inner.Name("code")->append(std::to_string(status));
  inner.Text("message", message);
  inner.Text("status", WordOf(status).word);
  inner.Close();
  object.Close();
  return body;
}

AnswerError UpstreamFailure(std::string_view message) {
  AnswerError error;
  error.status = 502;
  error.message = message;
  return error;
}

}  // namespace ccr::proxy::gemini
