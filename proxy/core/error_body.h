// Our own errors, in the format of the client.
#pragma once

#include <string>
#include <string_view>

#include "proxy/core/routing_table.h"

namespace ccr::proxy {

// Anthropic: {"type":"error","error":{"type":T,"message":M}}. OpenAI's two:
// {"error":{"message":M,"type":T,"param":null,"code":C}}. Gemini: {"error":{"code":STATUS,"message":M,"status":T}}.
std::string ErrorBody(Format format, int status, std::string_view message);

// The event that ends a stream which cannot go on, with its blank line.
std::string SseErrorEvent(Format format, std::string_view message);

}  // namespace ccr::proxy
