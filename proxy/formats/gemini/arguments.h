// The arguments of calls, which Gemini has as an object and every other format as a text.
#pragma once

#include <string>

#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::gemini {

// Appends the arguments of a call as one object: {"input": text} of a custom tool, {"raw_arguments": text} of what is no
// JSON object or beyond the budget, which all calls share, {} of what is blank. `notes` may be null.
void AppendArguments(const Part& call, JsonBudget* budget, Notes* notes, std::string* out);

}  // namespace ccr::proxy::gemini
