// State of a conversation in the one place that Gemini's format has for it: part.thoughtSignature.
#pragma once

#include <string>
#include <string_view>

#include "proxy/formats/conversation/state.h"

namespace ccr::proxy::gemini {

// What Google documents for calls of other models, which never had a signature.
// Source: ai.google.dev/gemini-api/docs/thought-signatures
inline constexpr std::string_view kForeignCall = "skip_thought_signature_validator";

// For a client: a signature of Gemini's alone as it is, anything else as PackStates() in base64, which is what the API
// says the member is. Empty for none.
std::string SignatureOf(const OpaqueStates& states);

// The other way; appends to `states`. kForeignCall, which clients write themselves, is none.
void ReadSignature(std::string_view signature, OpaqueStates* states);

// The signature that goes to Gemini with a part; empty where there is none. One from Google's own endpoint of OpenAI's
// format (extra_content.google.thought_signature) is one too.
std::string OwnSignature(const OpaqueStates& states);

}  // namespace ccr::proxy::gemini
