// What the proxy says itself: errors and the pages it serves.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "proxy/core/evidence/evidence.h"
#include "proxy/core/routing_table.h"
#include "proxy/ports/lease_source.h"

namespace ccr::proxy {

struct OwnAnswer {
  int status = 500;
  std::string message;  // for the client: what is wrong and what to do
  std::optional<absl::Duration> retry_after;
};

// Why no lease was granted: 429 when nothing is available now, 503 when all keys are disabled or the broker is away.
OwnAnswer NoLease(const LeaseFailure& failure, const std::string& provider);
// The provider refused every key that was tried, so many.
OwnAnswer KeysRefused(uint32_t tried, const std::string& provider);
// The provider gave no answer: 504 for time-outs, 503 when we could not ask it, else 502.
OwnAnswer NoUpstreamAnswer(const Evidence& evidence, const std::string& provider);

// Whole seconds, rounded up, from 1 to kMaxRetryAfter: for Retry-After.
std::string RetryAfterSeconds(absl::Duration wait);

// The body of GET /v1/models, in a shape that OpenAI's and Anthropic's SDKs accept: each model as its plain name
// (once), and as "provider,model".
std::string ModelsPage(const RoutingTable& table);
// One entry of it, by plain name or "provider,model", in any case, in that shape or Gemini's. None when no
// provider lists it.
std::optional<std::string> ModelPage(const RoutingTable& table, std::string_view model, bool gemini);
// The body of Gemini's GET /v1beta/models.
std::string GeminiModelsPage(const RoutingTable& table);

}  // namespace ccr::proxy
