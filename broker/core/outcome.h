// From evidence to outcome: the classification table.
#pragma once

#include <string_view>

#include "absl/time/time.h"
#include "broker/core/types.h"

namespace ccr::core {

struct Verdict {
  Outcome outcome;
  // Short, stable and made of [a-z0-9_]: what goes into a key's `reason` and into metrics ("rate_limited", "http_500",
  // "connect_timeout", "insufficient_quota", ...). Points to static storage.
  std::string_view reason;
};

// Pure. The table, first match wins:
//   client_cancelled, caller_fault                                        -> neutral
//   no HTTP status: transport error                                       -> upstream failure; else `success`, unset:
//   neutral 2xx: complete -> success; incomplete with overloaded_error -> overloaded; incomplete -> upstream failure
//   400 with Gemini's API_KEY_INVALID                                     -> auth
//   402; quota, billing and spend-limit codes with any 4xx                -> quota
//   401; 403 with an authentication error type or code                    -> auth
//   other 403                                                             -> permission
//   429                                                                   -> rate limited
//   529, 503, overloaded_error                                            -> overloaded
//   400 404 405 409 413 415 422 and other 4xx                             -> caller fault
//   408 and other 5xx                                                     -> upstream failure
//   3xx (relayed, never followed)                                         -> neutral
//   1xx and numbers that are no status                                    -> upstream failure
// Error types and codes are compared exactly; wording of messages is never looked at.
Verdict Classify(const Evidence& evidence);

// Whether a cooldown of that reason may last as long as a provider says (a rate limit or a quota).
bool MeansLimit(std::string_view reason);

// Reasons that no single report gives. A suspected key rests until the request is over that it was refused for; the
// last one is a circuit's.
inline constexpr std::string_view kAuthSuspected = "auth_suspected";
inline constexpr std::string_view kPermissionSuspected = "permission_suspected";
inline constexpr std::string_view kAuthEverywhere = "auth_everywhere";

// The static copy of a reason that came from outside (a store), "restored" when Classify never gives it.
std::string_view StaticReason(std::string_view reason);

}  // namespace ccr::core
