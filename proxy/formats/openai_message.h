// What the translations of OpenAI's messages have in common.
#pragma once

#include <string>
#include <string_view>

#include "proxy/formats/json_util.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy {

// Stands where an upstream needs a message of the user and there is none.
inline constexpr std::string_view kFiller = "Continue.";

// Spaces, tabs and line ends only: what Anthropic refuses as a text.
bool IsBlank(std::string_view text);

// The arguments of a call, a text or a value, as an object: {"raw_arguments": text} where they are none, {} when the
// budget, which all calls share, is exceeded. `arguments` may be null.
json::object ToolInput(const json::value* arguments, const json::storage_ptr& storage, JsonBudget* budget,
                       Notes* notes);

}  // namespace ccr::proxy
