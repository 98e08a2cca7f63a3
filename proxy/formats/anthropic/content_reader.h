// Blocks of a user's message or of a tool's result, as parts.
#pragma once

#include <string_view>
#include <vector>

#include "proxy/formats/conversation/request.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy::anthropic {

// In `own` of a part: the block it belongs to stands before it, whole in a kOther part, and holds it already.
inline constexpr std::string_view kPartOfWhole = "ccr_part_of_whole";

// A text or an array of blocks. What is neither, and what in the array is no object, is ignored.
void ReadContent(json::value* content, std::vector<Part>* parts);

// Takes what it needs out of `block`.
void ReadContentBlock(json::object* block, std::vector<Part>* parts);

// A text block; nothing for an empty text.
void ReadTextBlock(json::object* block, std::vector<Part>* parts);

// A block as it is, with `text` for other formats.
Part& AddWhole(json::object* block, std::string_view text, std::vector<Part>* parts);

// Its cache_control.
void TakeMark(json::object* block, Part* part);

}  // namespace ccr::proxy::anthropic
