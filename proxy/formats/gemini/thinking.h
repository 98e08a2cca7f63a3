// How a model of Gemini's is told how much to think.
#pragma once

#include <string>
#include <string_view>

#include "proxy/formats/conversation/request.h"

namespace ccr::proxy::gemini {

// Gemini 2.5 takes a number of tokens, later ones one of four levels, earlier ones neither.
enum class ThinkingKind { kNone, kBudget, kLevel };

// By the version in its name: "gemini-2.5-pro". An alias such as "gemini-flash-latest" is of the newest.
ThinkingKind ThinkingOf(std::string_view model);

// The thinkingConfig as JSON; empty where nothing is asked for, or the model takes none. `gemini_client`: budgets and
// includeThoughts are the client's own, and go as they came.
std::string ThinkingConfig(const Reasoning& reasoning, std::string_view model, bool gemini_client);

}  // namespace ccr::proxy::gemini
