// Writes `tools`, `tool_choice` and `parallel_tool_calls` of a request.
#pragma once

#include <string>

#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::responses {

// Each member behind a comma; nothing where there are no tools.
void WriteTools(const ModelRequest& request, ToolNames* names, Notes* notes, std::string* out);

}  // namespace ccr::proxy::responses
