#include "proxy/core/evidence_builder.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "broker/base/absl_text.h"
#include "proxy/core/ascii.h"
#include "proxy/core/error_status.h"
#include "proxy/core/utf8.h"

namespace ccr::proxy {
namespace {

namespace json = boost::json;

constexpr size_t kMaxWord = 128;
constexpr std::string_view kRetryAfter = "retry-after";
constexpr std::string_view kRetryAfterMs = "retry-after-ms";

// Anthropic sends this as a 400 invalid_request_error without a code; only its fixed wording tells. The whole beginning
// is compared: other messages that speak of credit mean other things.
constexpr std::string_view kAnthropicNoCredit = "Your credit balance is too low to access the Anthropic API";

bool IsWordChar(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.' || c == ':' || c == '/';
}

// `text` when it is one word, else nothing: sentences may quote keys.
std::string Word(std::string_view text) {
  return text.size() <= kMaxWord && std::all_of(text.begin(), text.end(), IsWordChar) ? std::string(text) : "";
}

bool IsDecimal(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789.-") == text.npos;
}

absl::Duration Bounded(absl::Duration wait) {
  return std::clamp(wait, absl::ZeroDuration(), kMaxRetryAfter);
}

std::optional<absl::Duration> ParseNumber(std::string_view text, absl::Duration unit) {
  double number = 0;
  if (!IsDecimal(text) || !absl::SimpleAtod(ToAbsl(text), &number)) return std::nullopt;
  return Bounded(unit * number);
}

// RFC 9110, 5.6.7: the form of today and the two obsolete ones.
std::optional<absl::Duration> ParseDate(std::string_view text, absl::Time now) {
  constexpr std::array<const char*, 3> kForms = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                                 "%a %b %e %H:%M:%S %Y"};
  for (const char* form : kForms) {
    absl::Time date;
    if (absl::ParseTime(form, ToAbsl(text), &date, nullptr)) return Bounded(date - now);
  }
  return std::nullopt;
}

std::optional<absl::Duration> ParseWait(std::string_view name, std::string_view value, absl::Time now) {
  value = TrimBlanks(value);
  if (SameWithoutCase(name, kRetryAfterMs)) return ParseNumber(value, absl::Milliseconds(1));
  const std::optional<absl::Duration> wait = ParseNumber(value, absl::Seconds(1));
  return wait || value.empty() ? wait : ParseDate(value, now);
}

std::optional<absl::Duration> RetryAfterHeader(const Headers& headers, absl::Time now) {
  const std::optional<absl::Duration> wait = ParseWait(kRetryAfterMs, FindHeader(headers, kRetryAfterMs), now);
  return wait ? wait : ParseWait(kRetryAfter, FindHeader(headers, kRetryAfter), now);
}

void ReadRemaining(const Headers& headers, std::string_view name, RateLimit::Unit unit, Evidence* evidence) {
  uint64_t number = 0;
  if (!absl::SimpleAtoi(ToAbsl(FindHeader(headers, name)), &number)) return;
  RateLimit& limit = evidence->rate_limits.emplace_back();
  limit.unit = unit;
  limit.remaining = number;
}

std::string_view Text(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

std::string WordOrNumber(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value != nullptr && value->is_int64()) return std::to_string(value->get_int64());
  return Word(Text(object, name));
}

// One entry of a Google error's details: ErrorInfo's reason, RetryInfo's delay ("3s", "0.5s").
void ReadDetail(const json::object& detail, Evidence* evidence) {
  const std::string reason = Word(Text(detail, "reason"));
  if (!reason.empty()) evidence->error_code = reason;
  std::string_view delay = Text(detail, "retryDelay");
  if (!delay.ends_with('s') || evidence->retry_after.has_value()) return;
  delay.remove_suffix(1);
  evidence->retry_after = ParseNumber(delay, absl::Seconds(1));
}

// Each of these returns the error's numeric code, 0 when it has none.
int ReadErrorObject(const json::object& error, Evidence* evidence) {
  evidence->error_type = Word(Text(error, "type"));
  if (evidence->error_type.empty()) evidence->error_type = Word(Text(error, "status"));
  evidence->error_code = WordOrNumber(error, "code");
  evidence->message = Text(error, "message").substr(0, kMaxMessage);
  if (Text(error, "message").starts_with(kAnthropicNoCredit)) evidence->error_code = "credit_balance_too_low";
  int number = 0;
  (void)absl::SimpleAtoi(evidence->error_code, &number);
  const json::value* details = error.if_contains("details");
  if (details == nullptr || !details->is_array()) return number;
  for (const json::value& detail : details->get_array()) {
    if (detail.is_object()) ReadDetail(detail.get_object(), evidence);
  }
  return number;
}

int ReadErrorBody(std::string_view body, Evidence* evidence) {
  json::error_code failed;
  const json::value parsed = json::parse({body.data(), body.size()}, failed);
  if (failed) return 0;
  const json::value* top = &parsed;
  if (top->is_array() && !top->get_array().empty()) top = &top->get_array().front();
  if (!top->is_object()) return 0;
  const json::object& object = top->get_object();
  const json::value* error = object.if_contains("error");
  if (error != nullptr && error->is_object()) return ReadErrorObject(error->get_object(), evidence);
  const int number = ReadErrorObject(object, evidence);
  const std::string word = Word(Text(object, "error"));
  if (!word.empty()) evidence->error_type = word;
  if (evidence->message.empty()) evidence->message = Text(object, "error").substr(0, kMaxMessage);
  return number;
}

Evidence OfHeaders(const Headers& headers, absl::Time now) {
  Evidence evidence;
  for (const std::string_view name : {"request-id", "x-request-id"}) {
    if (evidence.provider_request_id.empty()) evidence.provider_request_id = Word(FindHeader(headers, name));
  }
  evidence.retry_after = RetryAfterHeader(headers, now);
  ReadRemaining(headers, "x-ratelimit-remaining-requests", RateLimit::Unit::kRequests, &evidence);
  ReadRemaining(headers, "x-ratelimit-remaining-tokens", RateLimit::Unit::kTokens, &evidence);
  ReadRemaining(headers, "anthropic-ratelimit-requests-remaining", RateLimit::Unit::kRequests, &evidence);
  ReadRemaining(headers, "anthropic-ratelimit-tokens-remaining", RateLimit::Unit::kTokens, &evidence);
  return evidence;
}

}  // namespace

void BoundRetryAfter(Headers* headers, absl::Time now) {
  std::erase_if(*headers, [now](auto& header) {
    auto& [name, value] = header;
    const bool milliseconds = SameWithoutCase(name, kRetryAfterMs);
    if (!milliseconds && !SameWithoutCase(name, kRetryAfter)) return false;
    const std::optional<absl::Duration> wait = ParseWait(name, value, now);
    const bool at_bound = wait == kMaxRetryAfter || wait == absl::ZeroDuration();
    if (at_bound) value = std::to_string(*wait / (milliseconds ? absl::Milliseconds(1) : absl::Seconds(1)));
    return !wait;
  });
}

Evidence FromResponse(int status, const Headers& headers, std::string_view error_body, absl::Time now) {
  Evidence evidence = OfHeaders(headers, now);
  evidence.http_status = status;
  if (status < 200 || status > 299) ReadErrorBody(error_body, &evidence);
  return evidence;
}

Evidence FromLateError(const Headers& headers, std::string_view error_body, absl::Time now) {
  Evidence evidence = OfHeaders(headers, now);
  const int number = ReadErrorBody(error_body, &evidence);
  evidence.http_status = StatusOfError(number, evidence.error_code, evidence.error_type);
  return evidence;
}

std::string ShortMessage(std::string_view message) {
  std::string line;
  for (std::string_view rest = message; !rest.empty();) {
    const size_t length = Utf8Length(rest);
    const bool plain = length > 1 || (length == 1 && absl::ascii_isprint(static_cast<unsigned char>(rest[0])));
    const std::string_view character = plain ? rest.substr(0, length) : std::string_view(" ");
    if (line.size() + character.size() > kMaxShortMessage) break;
    line += character;
    rest.remove_prefix(std::max<size_t>(length, 1));
  }
  return line;
}

}  // namespace ccr::proxy
