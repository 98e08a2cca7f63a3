// The tools of a request of Chat Completions, and how the model is to use them.
#pragma once

#include "proxy/formats/chat/common.h"

namespace ccr::proxy::chat {

// Moves tools, functions, web_search_options, tool_choice, function_call and parallel_tool_calls out of the body. What
// cannot be read stays in it.
void ReadTools(json::object* body, ModelRequest* request);

}  // namespace ccr::proxy::chat
