// What an OpenAI message holds, as Anthropic content blocks.
#pragma once

#include <string>
#include <string_view>

#include "proxy/formats/json_util.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy {

// Appends a text block; a blank text is left out. `origin` may carry a cache_control to keep, and may be null.
void AppendTextBlock(std::string_view text, const json::object* origin, json::array* blocks);

// Appends the "content" of a message: a text, an array of parts, or nothing.
void AppendContent(const json::object& message, Notes* notes, json::array* blocks);

// The same where Anthropic takes text only: marks stand for images and documents.
void AppendTextContent(const json::object& message, Notes* notes, json::array* blocks);

// Copies the cache_control of `from`, if it has one.
void CopyCacheControl(const json::object& from, json::object* to);

// A function's name as Anthropic takes it, [a-zA-Z0-9_-]{1,128}: others become "_"; "unnamed" for an empty one.
std::string ToolName(std::string_view name);

}  // namespace ccr::proxy
