// What a provider's answer shows about the key it was asked with.
#pragma once

#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "proxy/core/evidence.h"
#include "proxy/core/header_rules.h"

namespace ccr::proxy {

// Takes waits out of `headers` that are none ("nan"), and shortens those beyond kMaxRetryAfter to it: who reads the
// headers after that, a client or FromResponse, reads the same.
void BoundRetryAfter(Headers* headers, absl::Time now);

// The evidence of a response head and, for a status that is not 2xx, of the beginning of its body (64 KiB are enough).
//   error_type   error.type, else error.status (Gemini), else an `error` that is itself a word
//   error_code   reason in error.details (Gemini), else error.code, text or number
//   retry_after  retry-after-ms, else retry-after (seconds or HTTP-date), else RetryInfo in error.details; from 0 to
//                kMaxRetryAfter
//   rate_limits  `remaining` of x-ratelimit-remaining-*, anthropic-ratelimit-*-remaining
// The error may sit in an array (Gemini), and type and code at the top level. Only words are taken, at most 128 bytes
// each; but `message` is the error's sentence as it came, which may quote a key: who passes it on masks it first.
// provider_request_id is request-id, else x-request-id.
Evidence FromResponse(int status, const Headers& headers, std::string_view error_body, absl::Time now);

// The same for an error that came in place of an answer after the head of a 2xx, whose headers these are: as if the
// provider had sent it as the body of a response with http_status, the status it stands for; see StatusOfError.
Evidence FromLateError(const Headers& headers, std::string_view error_body, absl::Time now);

// A sentence on one line, well-formed, of at most kMaxShortMessage bytes.
std::string ShortMessage(std::string_view message);

}  // namespace ccr::proxy
