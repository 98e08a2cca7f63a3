// Parts of Gemini's contents, as requests and answers both have them.
#pragma once

#include <string_view>

#include "proxy/formats/conversation/request.h"

namespace ccr::proxy::gemini {

// What a part of Gemini's holds.
enum class PartType { kText, kThought, kCall, kResult, kMedia, kOther };

// Gives the part's members lowerCamelCase names and tells what it is. One without a member that is known, or whose known
// member is of the wrong type, is kOther.
PartType TypeOfPart(json::object* part);

// The media of inlineData or fileData, moved out of the part; members without a place stay in it.
Media TakeMedia(json::object* part);

// What is left of a part whose known members were taken.
void KeepOwn(json::object* part, Part* to);

}  // namespace ccr::proxy::gemini
