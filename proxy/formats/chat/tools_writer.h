// The tools of a ModelRequest as those of Chat Completions.
#pragma once

#include "proxy/formats/chat/common.h"
#include "proxy/formats/chat/message_writer.h"

namespace ccr::proxy::chat {

// Writes tools, functions, web_search_options, tool_choice, function_call and parallel_tool_calls: those it has.
// `messages` names the tools.
void WriteTools(const ModelRequest& request, MessageWriter* messages, Notes* notes, ObjectWriter* body);

}  // namespace ccr::proxy::chat
