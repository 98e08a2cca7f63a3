// Steps of Fit() (fit.h): which thinking goes back, and how it is asked for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/core/provider_rules.h"
#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::fit {

// The one of `efforts` that is nearest to `effort`, the stronger of two that are as near; `effort` itself where the
// list is empty. Empty where `effort` is none that is known. "none" is never near another.
std::string NearestEffort(const std::vector<std::string>& efforts, std::string_view effort);

// Between two formats. A forced choice of a tool gives way, or thinking does; then thinking is asked for as the
// provider takes it. Towards Chat Completions and
// Responses `reasoning.effort` alone says it afterwards, with `extra`; towards Anthropic the mode with `budget` or
// `effort`, and max_tokens, which is always set there; towards Gemini mode, budget and effort.
void FitReasoning(const ProviderRules& rules, Format provider, ModelRequest* request, Notes* notes);

// Where both formats are the same. Whether anything had to change.
bool FitSameReasoning(const ProviderRules& rules, ModelRequest* request, Notes* notes);

}  // namespace ccr::proxy::fit
