// What the headers of an answer say of the limits of its key.
#pragma once

#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "proxy/core/evidence/evidence.h"
#include "proxy/core/header_rules.h"

namespace ccr::proxy {

struct HeaderLimits {
  // `retry-after-ms`, else `Retry-After` (seconds, HTTP date, epoch).
  std::optional<absl::Duration> retry_after;
  // Each group of headers whose names have "ratelimit" ("rate-limit") and differ in the word limit, remaining or reset
  // alone, of requests (the unit when none is named), tokens, input or output tokens:
  //   x-ratelimit-limit-requests, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens-minute
  //   anthropic-ratelimit-input-tokens-reset, X-RateLimit-Reset, ratelimit-remaining
  // The first kMaxRateLimits of them, in the order of the headers. A reset is in any form of ParseReset.
  std::vector<RateLimit> limits;

  // anthropic-ratelimit-unified-*: windows of a subscription (5h, 7d, and such of single models: 7d_opus).
  bool window_rejected = false;                // status is "rejected": one of them is used up
  std::optional<absl::Duration> window_reset;  // of those that are, the latest
  bool model_window = false;                   // those that are used up are of single models
};

inline constexpr size_t kMaxRateLimits = 16;

HeaderLimits ReadLimits(const Headers& headers, absl::Time now);

// The latest reset of the limits that have nothing left; of those that do not say what is left when there is no such.
std::optional<absl::Duration> ResetOfExhausted(const std::vector<RateLimit>& limits);

}  // namespace ccr::proxy
