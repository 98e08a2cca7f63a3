// What media Gemini takes, and how they are written.
#pragma once

#include <string>
#include <string_view>

#include "proxy/formats/conversation/request.h"

namespace ccr::proxy::gemini {

// What stands in the place of media that cannot be sent: "[image omitted]", "[audio omitted]", "[file omitted]". This is
// the word in it.
std::string_view MediaWord(const Media& media);

// Appends the members inlineData or fileData of a part, `"inlineData":{...}`, or of a document that is a text `"text":"..."`;
// false, and nothing, where Gemini does not take it. What came from a client of Gemini's goes as it came.
bool AppendMedia(const Media& media, bool gemini_client, std::string* out);

}  // namespace ccr::proxy::gemini
