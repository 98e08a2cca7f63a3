#include "broker/service/pool_texts.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/base/log.h"
#include "broker/core/verdict/outcome.h"

namespace ccr {
namespace {

constexpr size_t kMaxLastError = 400;

std::string_view WhyText(core::Refusal::Why why) {
  switch (why) {
    case core::Refusal::Why::kNoneAvailable:
      return "no key is available";
    case core::Refusal::Why::kAllDisabled:
      return "every key is disabled";
    case core::Refusal::Why::kCircuitOpen:
      return "the provider is failing and its circuit is open";
    case core::Refusal::Why::kQueueFull:
      return "too many requests wait for a key";
    case core::Refusal::Why::kWaitedTooLong:
      return "no key became available in time";
  }
  return "no key is available";
}

// On one line, of at most kMaxLastError bytes, cut between two characters.
std::string Shortened(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }, ' ');
  if (text.size() <= kMaxLastError) return text;
  size_t end = kMaxLastError;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  return text;
}

}  // namespace

absl::Status RefusalStatus(const std::string& pool, const core::Refusal& refusal, absl::Duration retry_after) {
  const core::Refusal::Why why = refusal.why;
  const bool refuses_everybody = why == core::Refusal::Why::kCircuitOpen && refusal.reason == core::kAuthEverywhere;
  const std::string_view text = refuses_everybody
                                    ? "the provider accepts none of the keys that were tried, and its circuit is open"
                                    : WhyText(why);
  std::string message = absl::StrCat("pool '", pool, "': ", ToAbsl(text));
  if (refusal.reason == core::kOwnLimits) {
    absl::StrAppend(&message, ": those that work are held back by your own limits (rpm, max_concurrent)");
  }
  if (retry_after != absl::InfiniteDuration()) {
    absl::StrAppend(&message, "; the earliest comes back in ", absl::ToInt64Milliseconds(retry_after), " ms");
  }
  return why == core::Refusal::Why::kAllDisabled ? absl::FailedPreconditionError(message)
                                                 : absl::ResourceExhaustedError(message);
}

std::string DescribeFailure(const core::Evidence& evidence) {
  std::string text = evidence.http_status != 0 ? absl::StrCat("HTTP ", evidence.http_status)
                                               : std::string(core::ToString(evidence.transport_error));
  for (const std::string* part : {&evidence.error_type, &evidence.error_code}) {
    if (!part->empty()) absl::StrAppend(&text, " ", *part);
  }
  for (const std::string* part : {&evidence.detail, &evidence.message}) {
    if (!part->empty()) absl::StrAppend(&text, ": ", *part);
  }
  return Shortened(Redact(text));
}

}  // namespace ccr
