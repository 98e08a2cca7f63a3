#include "proxy/core/evidence/evidence_builder.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "proxy/core/ascii.h"
#include "proxy/core/evidence/error_facts.h"
#include "proxy/core/evidence/rate_limit_headers.h"
#include "proxy/core/evidence/reset_time.h"
#include "proxy/core/utf8.h"

namespace ccr::proxy {
namespace {

constexpr size_t kMaxRequestId = 128;
constexpr size_t kShortName = 3;  // shorter ones may be words of any sentence
constexpr std::string_view kRetryAfter = "retry-after";
constexpr std::string_view kRetryAfterMs = "retry-after-ms";

bool IsModelChar(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == ':' || c == '/';
}
bool IsIdChar(char c) {
  return IsModelChar(c) || c == '.';
}

std::string RequestId(const Headers& headers) {
  for (const std::string_view name : {"request-id", "x-request-id"}) {
    const std::string_view id = FindHeader(headers, name);
    if (!id.empty() && id.size() <= kMaxRequestId && std::all_of(id.begin(), id.end(), IsIdChar))
      return std::string(id);
  }
  return {};
}

// "o1" does, "a" and "4" do not.
bool TellsInSentence(std::string_view model) {
  const auto is_digit = [](unsigned char c) { return absl::ascii_isdigit(c); };
  const auto is_letter = [](unsigned char c) { return absl::ascii_isalpha(c); };
  return model.size() >= kShortName ||
         (std::any_of(model.begin(), model.end(), is_digit) && std::any_of(model.begin(), model.end(), is_letter));
}

// Whole, not as the beginning of another's name; a point may end the sentence.
bool NamesModel(std::string_view sentence, std::string_view model) {
  if (!TellsInSentence(model)) return false;
  for (size_t at = sentence.find(model); at != sentence.npos; at = sentence.find(model, at + 1)) {
    const size_t end = at + model.size();
    const bool begins = at == 0 || !IsModelChar(sentence[at - 1]);
    const bool point = end + 1 < sentence.size() && sentence[end] == '.' && IsModelChar(sentence[end + 1]);
    if (begins && !point && (end == sentence.size() || !IsModelChar(sentence[end]))) return true;
  }
  return false;
}

// Whether a refusal of this status may be of the model it names, and not of the key.
bool MayBeOfModel(int status) {
  return status == 403 || status == 404 || status == 429 || status == 503 || status == 529;
}

bool SpeaksOfModel(const ErrorFacts& error, std::string_view model) {
  return error.of_model || error.code == "model_not_found" || NamesModel(error.message, model) ||
         ContainsWithoutCase(error.message, "this model") || ContainsWithoutCase(error.message, "the model is");
}

// Other failures tell of times in other senses: "no answer after 30 s".
bool MaySayWhen(int status) {
  return (status >= 400 && status < 500 && status != 408) || status == 503 || status == 529;
}

Evidence OfError(int status, HeaderLimits limits, ErrorFacts error, std::string_view model) {
  const bool in_answer = status >= 200 && status < 300;  // what status it stands for the broker knows
  Evidence evidence;
  evidence.http_status = status;
  evidence.error_in_answer = in_answer;
  evidence.quota_window =
      limits.window_rejected || error.quota_window || ContainsWithoutCase(error.message, "regain access");
  evidence.retry_after = Later(limits.retry_after, error.wait);
  if (limits.window_rejected) evidence.retry_after = Later(evidence.retry_after, limits.window_reset);
  if (in_answer || MaySayWhen(status)) evidence.retry_after = Later(evidence.retry_after, error.wait_in_words);
  evidence.rate_limits = std::move(limits.limits);
  for (RateLimit& limit : error.limits)
    if (evidence.rate_limits.size() < kMaxRateLimits) evidence.rate_limits.push_back(limit);
  if (!evidence.retry_after && status == 429) evidence.retry_after = ResetOfExhausted(evidence.rate_limits);
  evidence.model_only = (limits.window_rejected && limits.model_window) ||
                        ((in_answer || MayBeOfModel(status)) && SpeaksOfModel(error, model));
  evidence.error_type = std::move(error.type);
  evidence.error_code = std::move(error.code);
  evidence.message = std::move(error.message);
  return evidence;
}

}  // namespace

void BoundRetryAfter(Headers* headers, absl::Time now) {
  std::erase_if(*headers, [now](auto& header) {
    auto& [name, value] = header;
    const bool milliseconds = SameWithoutCase(name, kRetryAfterMs);
    if (!milliseconds && !SameWithoutCase(name, kRetryAfter)) return false;
    const absl::Duration unit = milliseconds ? absl::Milliseconds(1) : absl::Seconds(1);
    std::optional<absl::Duration> wait = ParseReset(value, now, unit);
    const bool rewrite = wait >= kMaxRetryAfter || wait == absl::ZeroDuration();
    if (rewrite) value = std::to_string(std::min(*wait, kMaxRetryAfter) / unit);
    return !wait;
  });
}

Evidence FromResponse(int status, const Headers& headers, std::string_view error_body, absl::Time now,
                      std::string_view model) {
  HeaderLimits limits = ReadLimits(headers, now);
  Evidence evidence;
  if (status < 200 || status > 299) {
    evidence = OfError(status, std::move(limits), ReadError(error_body, now), model);
  } else {
    evidence.http_status = status;
    evidence.retry_after = limits.retry_after;
    evidence.rate_limits = std::move(limits.limits);
  }
  evidence.provider_request_id = RequestId(headers);
  return evidence;
}

Evidence FromErrorInAnswer(int status, const Headers& headers, std::string_view error, absl::Time now,
                           std::string_view model) {
  Evidence evidence = OfError(status, ReadLimits(headers, now), ReadError(error, now), model);
  evidence.provider_request_id = RequestId(headers);
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
