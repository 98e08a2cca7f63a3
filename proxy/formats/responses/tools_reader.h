// Reads `tools` and `tool_choice` of a request.
#pragma once

#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::responses {

void ReadTools(json::array* tools, Notes* notes, std::vector<Tool>* out);

// False when it names what no other format has: then it is kept in the request's own members.
bool ReadToolChoice(const json::value& choice, ToolChoice* out);

}  // namespace ccr::proxy::responses
