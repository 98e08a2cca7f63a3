// What the body of a provider's error says.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "proxy/core/evidence/evidence.h"

namespace ccr::proxy {

struct ErrorFacts {
  // error.type, else error.status (Gemini), else an `error` that is itself a word. "base_resp" where the error is in a
  // member of that name (MiniMax), "envelope" where it is {"success": false, "code": ..}, "moderation" where it has
  // metadata.reasons (OpenRouter).
  std::string type;
  // `reason` in error.details (Gemini), else error.code, text or number.
  std::string code;
  std::string message;  // as it came, at most kMaxMessage bytes: may quote a key

  // The latest of RetryInfo in error.details (in its place, where a quota of a day is used up: midnight in California),
  // members such as retry_after, resets_in_seconds and resets_at, and Retry-After in error.metadata.headers.
  std::optional<absl::Duration> wait;
  std::optional<absl::Duration> wait_in_words;  // FindReset of the message
  std::vector<RateLimit> limits;                // of error.metadata.headers (OpenRouter)
  bool quota_window = false;                    // what is used up is a window of a quota: of a day, of a plan
  bool of_model = false;                        // and it is one of the model alone, as a violated quota's name says
};

// The error may sit in an array (Gemini), and what it says at the top level. Of types and codes only words are taken,
// and of codes sentences of letters alone (xAI), at most 128 bytes each: others may quote keys.
ErrorFacts ReadError(std::string_view body, absl::Time now);

}  // namespace ccr::proxy
