// Gemini's function calls under the ids that all formats have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"

namespace ccr::proxy::gemini {

// Gemini names a call by its function; only newer models give it an id as well. In a conversation each has one:
//
//   gid_ID    Gemini's own
//   call_HEX  made up from the answer and the call's number in it, sixteen digits
//
// Both are of [A-Za-z0-9_-], which every format accepts. The signature of a call is state of its part.
// Source: ai.google.dev/gemini-api/docs/function-calling.

// The ids of one answer's calls, each once: where an upstream gives two calls one id, the second gets a made up one.
class CallIds {
 public:
  // Of the next call, whose functionCall.id is `own`, may be empty. `seed` as in answer_id.h.
  std::string Next(std::string_view own, uint64_t seed);
  size_t given() const { return given_; }

 private:
  size_t given_ = 0;
  absl::flat_hash_set<std::string> used_;
};

// What the model itself called it: for functionCall.id and functionResponse.id of a request. Empty where it gave none,
// or the call was another model's. `gemini_client`: the ids are of a client of Gemini's, which has them as they are.
std::string_view OwnCallId(std::string_view id, bool gemini_client);

// What a client of Gemini's sees.
std::string_view ClientCallId(std::string_view id);

}  // namespace ccr::proxy::gemini
