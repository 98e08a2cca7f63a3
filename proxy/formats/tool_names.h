// Names of tools that are longer than OpenAI takes.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "proxy/formats/transformers/transformer.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy {

inline constexpr size_t kMaxOpenAiToolName = 64;

// `name` where it is short enough; else its beginning and a hash of it, kMaxOpenAiToolName bytes, with the pair added
// to `names`. The same name always becomes the same, so that providers' prompt caches hold.
std::string ShortToolName(std::string_view name, ToolNames* names);

// Gives the calls of an answer, or of a chunk, the names back that the client knows.
void RestoreToolNames(const ToolNames& names, json::object* answer);
std::unique_ptr<ChunkEdit> MakeToolNameEdit(const ToolNames& names);

}  // namespace ccr::proxy
