// A Gemini upstream's events as OpenAI chunks; openai_gemini.h has the table.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "proxy/formats/translation.h"

namespace ccr::proxy {

// Like Translation::Stream; `created` in seconds since the Unix epoch. Gemini has no last event: any event may name a
// finishReason, and more may follow, so the answer's end is written when the upstream has ended. A finishReason, or a
// blocked prompt, makes a proper end, after it even a cut stream; without one the end is an error.
std::unique_ptr<StreamTranslator> MakeGeminiStreamToOpenAi(std::string_view model, int64_t created,
                                                           const StreamOptions& options);

}  // namespace ccr::proxy
