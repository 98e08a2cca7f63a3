// What a provider's answer shows about the key it was asked with.
#pragma once

#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "proxy/core/evidence/evidence.h"
#include "proxy/core/header_rules.h"

namespace ccr::proxy {

// Takes waits out of `headers` that are none ("nan", "-5"), and shortens those beyond kMaxRetryAfter to it: clients need
// not bear what the broker can.
void BoundRetryAfter(Headers* headers, absl::Time now);

// The evidence of a response head and, for a status that is not 2xx, of the beginning of its body (64 KiB are enough).
//   error_type, error_code, message   see ErrorFacts; who passes the message on masks it first
//   retry_after   of an error the latest of Retry-After, the reset of used-up windows, and what its body says in fields
//                 and, of refusals, in words; of a 429 without any of these the latest reset of the limits that have
//                 nothing left. Of an answer Retry-After
//   rate_limits   see HeaderLimits
//   model_only    the windows that are used up are of models, or of a 403, 404, 429, 503 or 529: its code is
//                 model_not_found, its quotas are per model, or its sentence names `model`, the one asked for
//   quota_window  a window is used up, or a quota of a day or of a plan
//   provider_request_id   request-id, else x-request-id
Evidence FromResponse(int status, const Headers& headers, std::string_view error_body, absl::Time now,
                      std::string_view model = {});

// The same for an error that came in place of an answer after the head of a 2xx, whose status and headers these are:
// with error_in_answer, and whatever it would be said of an error with a status of its own.
Evidence FromErrorInAnswer(int status, const Headers& headers, std::string_view error, absl::Time now,
                           std::string_view model = {});

// A sentence on one line, well-formed, of at most kMaxShortMessage bytes.
std::string ShortMessage(std::string_view message);

}  // namespace ccr::proxy
