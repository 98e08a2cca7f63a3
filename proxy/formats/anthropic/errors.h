// Errors in Anthropic's shape, {"type":"error","error":{"type":T,"message":M}}.
// Source: docs.anthropic.com/en/api/errors
#pragma once

#include <string>
#include <string_view>

#include "proxy/formats/conversation/answer.h"

namespace ccr::proxy::anthropic {

// The body of an answer with an error status, which may be no JSON, and empty.
AnswerError ReadError(int status, std::string_view body);

// The data of an error event, whose status only its type tells.
AnswerError ReadErrorEvent(std::string_view data);

// kContext is told in the words that Claude Code acts on: "input length and `max_tokens` exceed context limit: P + A >
// L", after which it asks for less, or "prompt is too long: P tokens > L maximum".
std::string WriteError(const AnswerError& error);

}  // namespace ccr::proxy::anthropic
