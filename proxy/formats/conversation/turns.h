// Steps of Fit() (fit.h): who speaks when, and which result answers which call.
#pragma once

#include <cstddef>
#include <vector>

#include "proxy/core/provider_rules.h"
#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::fit {

// The message that the turn under way begins with: the last of the user that does not stand beside results of tools. 0
// where there is none. Judged before anything is folded or moved.
size_t TurnUnderWay(const std::vector<Message>& messages);

// Whether there is something in it that every format can say.
bool HasSubstance(const Message& message);

// Whether it calls a tool.
bool HasCalls(const Message& message);

void AppendParts(std::vector<Part> from, std::vector<Part>* to);

// Makes the messages hold to the order that fit.h guarantees: calls answered, roles in turn, nothing empty.
// `needs_user`: the first that is no system text has to be the user's.
void OrderTurns(const ProviderRules& rules, Format provider, bool needs_user, ModelRequest* request, Notes* notes);

// For providers that refuse a message of the user's behind results of tools: what it says goes into the last of them,
// with marks for what results cannot hold. Whether there was one.
bool PutUserIntoResults(ModelRequest* request, Notes* notes);

// Messages of the user, or of the assistant, in a row become one. Whether there were some.
bool MergeRoles(ModelRequest* request);

}  // namespace ccr::proxy::fit
