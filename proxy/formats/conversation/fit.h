// The step between the formats: makes a request one that the provider takes.
#pragma once

#include "proxy/core/provider_rules.h"
#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy {

// Between two formats. Afterwards:
//   - each kToolCall of an assistant's message has an id, which no other call of the request has, and is answered by
//     exactly one kToolResult of the kTool message directly behind it, in the order of the calls, which names it (id and
//     name); a call that had none gets one that is an error and says so, a result of no call is text of the user
//   - no message is empty and no text blank; a kTool message holds results alone, no other message holds one
//   - messages of one role in a row are one; the first that is no system text is the user's where the
//     provider wants it (Anthropic, Gemini, `alternate`)
//   - system text stands where the rules let it, and thinking, cache marks, sampling, effort, tool choice, schemas and
//     max_tokens are what they let through; reasoning.h says how `reasoning` is to be read then
//   - a choice that allows some of the tools has these alone in `tools`, and no names
// Gemini's schemas are its writer's matter, which knows what they may be. What another format alone knows (kOther, own)
// is left as it is: writers leave it out.
void Fit(const ProviderRules& rules, Format provider, ModelRequest* request, Notes* notes);

// Where both formats are the same: does nothing but what the rules ask for. False when nothing had to change, so that
// bytes may pass as they are. System text inside Anthropic's messages stays there; state of other providers does not go,
// nor does thinking without a signature to who checks it.
// `stateless`: it held state of other providers that reading it has left out, so it has changed already.
bool FitSame(const ProviderRules& rules, bool stateless, ModelRequest* request, Notes* notes);

}  // namespace ccr::proxy
