// Steps of Fit() (fit.h): members of the body that the provider does not take.
#pragma once

#include <string>
#include <vector>

#include "proxy/core/provider_rules.h"
#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::fit {

// temperature, top_p, top_k go where the provider takes none, max_tokens becomes what it takes. Whether anything had to
// change.
bool FitLimits(const ProviderRules& rules, ModelRequest* request, Notes* notes);

// The bound of the answer by the name that the provider knows, in Chat Completions. Whether it had another.
bool NameMaxTokens(const ProviderRules& rules, ModelRequest* request);

// Anthropic's cache marks, on content and tools. Whether there was one.
bool DropCacheMarks(ModelRequest* request, Notes* notes);

// Members of the body by the names that `provider` has for them, those of Gemini's generationConfig included. Whether
// one was set.
bool DropMembers(const std::vector<std::string>& names, Format provider, ModelRequest* request, Notes* notes);

}  // namespace ccr::proxy::fit
