// The HTTP surface: request targets in, upstream URLs out.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ccr::proxy {

enum class Endpoint {
  kMessages,         // POST /v1/messages
  kCountTokens,      // POST /v1/messages/count_tokens
  kChatCompletions,  // POST /v1/chat/completions
  kResponses,        // POST /v1/responses
  kEmbeddings,       // POST /v1/embeddings
  kModels,           // GET, HEAD /v1/models
  kModel,            // GET, HEAD /v1/models/MODEL
  kGenerate,         // POST /v1beta/models/MODEL:generateContent; /v1/ as well, as the next two
  kStreamGenerate,   // POST /v1beta/models/MODEL:streamGenerateContent
  kGeminiCount,      // POST /v1beta/models/MODEL:countTokens
  kGeminiModels,     // GET, HEAD /v1beta/models
  kGeminiModel,      // GET, HEAD /v1beta/models/MODEL
  kRoot,             // GET, HEAD /
  kHealth,           // GET, HEAD /health
  kPassthrough,      // GET, HEAD, POST, PUT, PATCH, DELETE /p/PROVIDER/REST
  kNotFound,
  kMethodNotAllowed,
};

// For logs and metrics: "messages", "chat_completions", ..., "other".
std::string_view EndpointName(Endpoint endpoint);

// Whether the path, not the body, says which model is asked for: those of Gemini's API.
inline bool ModelInPath(Endpoint endpoint) {
  return endpoint == Endpoint::kGenerate || endpoint == Endpoint::kStreamGenerate || endpoint == Endpoint::kGeminiCount;
}

// Whether it takes the routing table to serve it.
inline bool NeedsTable(Endpoint endpoint) {
  return endpoint != Endpoint::kRoot && endpoint != Endpoint::kHealth && endpoint != Endpoint::kNotFound &&
         endpoint != Endpoint::kMethodNotAllowed;
}

struct Target {
  Endpoint endpoint = Endpoint::kNotFound;
  std::string_view authority;  // of an absolute-form target, which takes the place of Host; a view, as the next
  std::string_view query;      // without the '?'; a view of the target that was parsed
  std::string provider;        // of kPassthrough, percent-encoding resolved
  std::string rest;            // of kPassthrough: all behind PROVIDER's slash, as it came; may be empty
  std::string model;           // of those with a MODEL in their path, percent-encoding resolved
  std::string_view allow;      // of kMethodNotAllowed: the value for the Allow header
};

// The path is matched exactly and the query ignored; methods are case-sensitive. A target is a path or an absolute URL
// of http or https (RFC 9112, 3.2.1 and 3.2.2).
Target ParseTarget(std::string_view method, std::string_view target);

// Where a request for `endpoint` goes at the provider whose full endpoint URL is `base_url`.
//   own endpoint   base_url as it is, also when it ends in no endpoint we know
//   a sibling      the known end of base_url (/chat/completions, /messages, /responses, /embeddings) replaced
//   kCountTokens   .../messages/count_tokens
//   kModels        .../models
//   kPassthrough   base_url without its known end, then REST; a version segment ("v1") that ends the one and begins the
//                  other is written once
// A query in base_url is kept, and target.query appended; a parameter that both have is the client's. Credentials have
// been taken out of it before; see WithoutCredentials.
// InvalidArgument: a sibling of a URL without a known end; a REST that could leave the provider's root (dot segments
// and empty segments, encoded or not, backslashes, control characters); the endpoints that have no upstream.
absl::StatusOr<std::string> UpstreamUrl(std::string_view base_url, Endpoint endpoint, const Target& target);

// Where Gemini answers for `model`: {base_url}/MODEL:METHOD. "/models" is added where base_url does not end in it; the
// model is percent-encoded, "/" too; a query in base_url is kept, and `query` joined as UpstreamUrl does.
std::string GeminiUrl(std::string_view base_url, std::string_view model, std::string_view method,
                      std::string_view query);

// The METHOD of an endpoint with the model in its path.
std::string_view GeminiMethod(Endpoint endpoint);

// A path of the API behind that base_url, as UpstreamUrl for kPassthrough: its root is base_url without "/models".
absl::StatusOr<std::string> GeminiPassthroughUrl(std::string_view base_url, const Target& target);

}  // namespace ccr::proxy
