#include "proxy/formats/chat/errors.h"

#include <array>
#include <boost/json/monotonic_resource.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/upstream_error.h"

namespace ccr::proxy::chat {
namespace {

struct KindWord {
  std::string_view word;  // of a type or code
  ErrorKind kind;
};

// Words that say more than any status: OpenAI's 429 is also that of an account without money.
constexpr std::array<KindWord, 6> kSureWords = {{{"context_length_exceeded", ErrorKind::kContext},
                                                 {"insufficient_quota", ErrorKind::kQuota},
                                                 {"exceeded_current_quota", ErrorKind::kQuota},
                                                 {"billing", ErrorKind::kQuota},
                                                 {"insufficient_balance", ErrorKind::kQuota},
                                                 {"insufficient_credits", ErrorKind::kQuota}}};

// Words for a status that says little.
constexpr std::array<KindWord, 11> kWords = {{{"rate_limit", ErrorKind::kRateLimited},
                                              {"overloaded", ErrorKind::kOverloaded},
                                              {"service_unavailable", ErrorKind::kOverloaded},
                                              {"timeout", ErrorKind::kTimeout},
                                              {"authentication", ErrorKind::kAuth},
                                              {"invalid_api_key", ErrorKind::kAuth},
                                              {"permission", ErrorKind::kPermission},
                                              {"forbidden", ErrorKind::kPermission},
                                              {"not_found", ErrorKind::kNotFound},
                                              {"too_large", ErrorKind::kTooLarge},
                                              {"insufficient_system_resource", ErrorKind::kOverloaded}}};

ErrorKind KindOfError(const AnswerError& error) {
  const std::string words = absl::AsciiStrToLower(absl::StrCat(error.type, " ", error.code));
  for (const KindWord& known : kSureWords)
    if (absl::StrContains(words, ToAbsl(known.word))) return known.kind;
  const ErrorKind kind = KindOfStatus(error.status);
  if (kind != ErrorKind::kInvalid && kind != ErrorKind::kUpstream) return kind;
  for (const KindWord& known : kWords)
    if (absl::StrContains(words, ToAbsl(known.word))) return known.kind;
  return kind;
}

}  // namespace

AnswerError ReadErrorValue(const json::value& value, int status) {
  const UpstreamError read = ReadUpstreamError(value, status);
  AnswerError error;
  error.status = read.status;
  error.message = read.message;
  const json::value* holder = &value;
  if (value.is_array() && !value.get_array().empty()) holder = &value.get_array().front();
  if (const json::object* object = holder->if_object(); object != nullptr) {
    const json::object* inner = FindObject(*object, "error");
    error.type = FindText(inner == nullptr ? *object : *inner, "type");
    error.code = FindText(inner == nullptr ? *object : *inner, "code");
  }
  error.kind = KindOfError(error);
  return error;
}

AnswerError ReadError(int status, std::string_view body) {
  json::monotonic_resource memory;
  const absl::StatusOr<json::value> parsed = ParseJson(body, &memory);
  if (parsed.ok()) return ReadErrorValue(*parsed, status);
  AnswerError error;
  error.status = status;
  error.kind = KindOfStatus(status);
  error.message = UpstreamErrorMessage(status, body);
  return error;
}

}  // namespace ccr::proxy::chat
