// Steps of Fit() (fit.h): thinking of earlier answers, which goes back or does not.
#pragma once

#include <cstddef>
#include <vector>

#include "proxy/core/provider_rules.h"
#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::fit {

// Whether state of this kind is of the format's own.
bool IsOwnState(Format format, StateKind kind);

// Leaves out what the provider does not take back. What `reasoning` asks for is settled before.
void FitHistory(const ProviderRules& rules, Format provider, ModelRequest* request, Notes* notes);

// Where both formats are the same: takes away state of another format's, and thinking that has no other. Whether there
// was some.
bool DropForeignState(const ProviderRules& rules, ModelRequest* request, Notes* notes);

// Thinking that says nothing and holds no state, as what others' state was taken from.
void DropEmptyThinking(ModelRequest* request);

// An assistant's messages with calls get thinking, which is empty, where they have none. Whether one had none. `turn` is
// the first message that counts.
bool AddEmptyThinking(size_t turn, ModelRequest* request);

// Whether Anthropic takes thinking with a budget here: not behind a last message of the assistant's, and while results
// of tools are answered only where the turn began with thinking that it signed itself.
// Source: platform.claude.com/docs/en/build-with-claude/extended-thinking
bool AllowsThinking(const std::vector<Message>& messages);

// Whether the last word is the assistant's, for it to go on.
bool EndsWithAssistant(const std::vector<Message>& messages);

}  // namespace ccr::proxy::fit
