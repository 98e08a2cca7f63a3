// tools, toolConfig and generationConfig of Gemini's clients; codec.h holds the table.
#pragma once

#include "proxy/formats/conversation/request.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::gemini {

// Each moves what it knows out of its member of the body and into the request, and keeps the rest in `request->own`.
void ReadTools(json::value tools, ModelRequest* request, Notes* notes);
void ReadToolConfig(json::value config, ModelRequest* request);
void ReadGenerationConfig(json::value config, ModelRequest* request);

}  // namespace ccr::proxy::gemini
