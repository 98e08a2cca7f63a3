// Names of tools that an upstream does not take.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "proxy/formats/transformers/transformer.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy {

inline constexpr size_t kMaxToolName = 64;  // OpenAI's and Gemini's
inline constexpr size_t kMaxAnthropicToolName = 128;
// Longer names stay short in answers too, in which they would come with each call.
inline constexpr size_t kMaxRestoredName = 1024;

// `name` where the format takes it. In any other name what does not fit becomes "_", its end gives way to a hash, which
// tells names apart that would be alike, and the pair is added to `names` (up to kMaxRestoredName). "unnamed" for an
// empty one. The same name always becomes the same, so that providers' prompt caches hold.
std::string OpenAiToolName(std::string_view name, ToolNames* names);     // [A-Za-z0-9_-]{1,64}
std::string AnthropicToolName(std::string_view name, ToolNames* names);  // [A-Za-z0-9_-]{1,128}
std::string GeminiToolName(std::string_view name, ToolNames* names);     // [A-Za-z_][A-Za-z0-9_.:-]{0,63}

// Gives the calls of an answer or a chunk of OpenAI's, or of Gemini's, the names back that the client knows.
void RestoreToolNames(const ToolNames& names, json::object* answer);
std::unique_ptr<ChunkEdit> MakeToolNameEdit(const ToolNames& names);

}  // namespace ccr::proxy
