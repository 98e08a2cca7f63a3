// From evidence to outcome: the classification table.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "broker/core/types.h"

namespace ccr::core {

// Whose fault an answer may be besides; what becomes of the lease's further ones shows it.
enum class Doubt : uint8_t {
  kNone,         // known for certain
  kKey,          // the key's or the request's
  kModel,        // the same, and the key's for this model alone
  kThisRequest,  // the request is more than this key may ask for: another one may, and the key is well
  kUnbooked,     // the same of what the account has not booked: two keys tell enough
};

struct Verdict {
  Outcome outcome;
  // Short, stable and made of [a-z0-9_]: what goes into a key's `reason` and into metrics ("rate_limited", "http_500",
  // "connect_timeout", "insufficient_quota", ...). Points to static storage.
  std::string_view reason;
  int http_status = 0;  // that the evidence stands for; 0 = none
  Doubt doubt = Doubt::kNone;
  // With doubt: the class, if it was the key, and what to call it.
  Outcome if_key = Outcome::kCallerFault;
  std::string_view key_reason = {};
};

// Pure. The table, first match wins:
//   client_cancelled, caller_fault                                        -> neutral
//   no HTTP status: transport error                                       -> upstream failure; else `success`, unset:
//   neutral 2xx: complete -> success; incomplete with overloaded_error -> overloaded; incomplete -> upstream failure
//   2xx with error_in_answer: as with the status that the error stands for; that says nothing -> upstream failure
//   a rule of the user                                                    -> as it says
//   a known code, type, number or beginning of the message (provider_words.h), under any 4xx; overload, quota and
//   auth under 5xx too                                                    -> as it says
//   a window of quota that is used up; 402                                -> quota
//   401                                                                   -> auth, in doubt
//   other 403                                                             -> permission, in doubt
//   429 that says when, or speaks of rates, or says nothing               -> rate limited, else the same in doubt
//   400, 404                                                              -> caller fault, in doubt
//   529, 503                                                              -> overloaded
//   405 409 413 415 422 and other 4xx                                     -> caller fault
//   408 and other 5xx                                                     -> upstream failure
//   3xx (relayed, never followed)                                         -> neutral
//   1xx and numbers that are no status                                    -> upstream failure
// In doubt, words anywhere in the message choose between the classes of a key's fault, and nothing else.
Verdict Classify(const Evidence& evidence, absl::Span<const ErrorRule> rules = {});

// Whether the failure is of the way to the provider's host, which all keys share.
bool IsOfHost(TransportError error);

// Whether a cooldown of that reason may last as long as a provider says (a rate limit or a quota).
bool MeansLimit(std::string_view reason);

// Reasons that no single report gives. A suspected key rests until the request is over that it was refused for; the
// last one is a circuit's.
inline constexpr std::string_view kAuthSuspected = "auth_suspected";
inline constexpr std::string_view kPermissionSuspected = "permission_suspected";
inline constexpr std::string_view kQuotaWindow = "quota_window";     // used up until its end
inline constexpr std::string_view kModelAbsent = "model_not_found";  // of a key for one model
inline constexpr std::string_view kAuthEverywhere = "auth_everywhere";

// The static copy of a reason that came from outside (a store), "restored" when Classify never gives it.
std::string_view StaticReason(std::string_view reason);

}  // namespace ccr::core
