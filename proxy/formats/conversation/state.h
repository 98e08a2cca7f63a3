// What a model gave to be handed back unchanged, which only its own provider can read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ccr::proxy {

// Where it came from, which is also who may get it back: a provider refuses state of another.
enum class StateKind {
  kAnthropicSignature,    // thinking.signature
  kAnthropicRedacted,     // redacted_thinking.data
  kGeminiSignature,       // part.thoughtSignature, base64
  kResponsesReasoning,    // a reasoning item without its summary: a JSON object with id and encrypted_content
  kChatReasoningDetails,  // message.reasoning_details: a JSON array
  kChatExtraContent,      // tool_call.extra_content: a JSON object
};

struct OpaqueState {
  StateKind kind;
  std::string data;

  bool operator==(const OpaqueState&) const = default;
};
using OpaqueStates = std::vector<OpaqueState>;

// nullptr where there is none of that kind.
const OpaqueState* FindState(const OpaqueStates& states, StateKind kind);

// The states as one text of [A-Za-z0-9_-] that begins with "ccr1_", for a place where a client's format has room for
// another format's state: a signature, encrypted_content. Empty for none. Unpack: none where the text is none of ours.
std::string PackStates(const OpaqueStates& states);
OpaqueStates UnpackStates(std::string_view text);
bool IsPackedState(std::string_view text);

// Clients' formats have no place for the state of a call, but every client returns the id of a call unchanged, so the
// id carries it: `ID__sig_SIGNATURE` for a signature of Gemini's alone (base64url), `ID__st_PACKED` for any other.
// Proxies need no memory then.
// Source: ai.google.dev/gemini-api/docs/thought-signatures; LiteLLM carries it in the same place.
std::string IdWithState(std::string_view id, const OpaqueStates& states);
// The id without it; appends what it carried to `states`, which may be null.
std::string_view IdWithoutState(std::string_view id, OpaqueStates* states);

}  // namespace ccr::proxy
