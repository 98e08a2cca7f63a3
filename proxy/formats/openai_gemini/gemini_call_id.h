// Gemini's function calls under the ids of OpenAI's and Anthropic's formats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy {

// Gemini names a call by its function, only newer models give it an id as well, and newer models refuse a call of the
// history that comes back without the thoughtSignature they sent with it. The clients' formats have a place for
// neither, but every client returns the id of a call unchanged. So the id carries both, and proxies need no memory:
//
//   call_HEX            made up from the answer and the call's number in it
//   gid_ID              Gemini's own id
//   ...__sig_SIGNATURE  with the signature behind it, in base64url
//
// All are of [A-Za-z0-9_-], which every format accepts; OpenAI's takes 40 bytes only, so elsewhere the signature is cut
// off (WithoutSignature).
// Source: ai.google.dev/gemini-api/docs/thought-signatures, /docs/function-calling; LiteLLM carries it in the same
// place.
struct GeminiCallId {
  std::string id;         // for functionCall.id and functionResponse.id; empty where the model gave none
  std::string signature;  // for thoughtSignature, in base64; empty where the call had none
};

// The id of a part that holds a functionCall, the `number`th call of its answer. `seed` as in answer_id.h: the
// same seed and number give the same id. A signature that is no base64 is left out.
std::string MakeGeminiCallId(const json::object& part, uint64_t seed, size_t number);

// The ids of one answer's calls, each once: where an upstream gives two calls one id, the second gets a made up one.
class GeminiCallIds {
 public:
  std::string Next(const json::object& part, uint64_t seed);
  size_t given() const { return given_; }

 private:
  size_t given_ = 0;
  absl::flat_hash_set<std::string> used_;  // without signatures
};

// What an id carries: nothing when it is none of ours.
GeminiCallId ReadGeminiCallId(std::string_view id);

// `id` without a signature.
std::string_view WithoutSignature(std::string_view id);

}  // namespace ccr::proxy
