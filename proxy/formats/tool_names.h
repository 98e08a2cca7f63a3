// Names of tools that an upstream does not take.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "proxy/formats/transformers/transformer.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy {

inline constexpr size_t kMaxToolName = 64;  // OpenAI's and Gemini's
// Longer names stay short in answers too, in which they would come with each call.
inline constexpr size_t kMaxRestoredName = 1024;

// `name` where it is short enough; else its beginning and a hash of it, kMaxToolName bytes, with the pair added to
// `names` (up to kMaxRestoredName). The same name always becomes the same, so that providers' prompt caches hold.
std::string ShortToolName(std::string_view name, ToolNames* names);

// The same for Gemini, which takes [A-Za-z_][A-Za-z0-9_.:-]{0,63}: in any other name what does not fit becomes "_", and
// a hash of it follows. "unnamed" for an empty one.
std::string GeminiToolName(std::string_view name, ToolNames* names);

// Gives the calls of an answer or a chunk of OpenAI's, or of Gemini's, the names back that the client knows.
void RestoreToolNames(const ToolNames& names, json::object* answer);
std::unique_ptr<ChunkEdit> MakeToolNameEdit(const ToolNames& names);

}  // namespace ccr::proxy
