// An Anthropic upstream's events as OpenAI chunks; openai_anthropic.h has the table.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "proxy/formats/translation.h"

namespace ccr::proxy {

// Like Translation::Stream; `created` in seconds since the Unix epoch.
std::unique_ptr<StreamTranslator> MakeAnthropicStreamToOpenAi(std::string_view model, int64_t created,
                                                              const StreamOptions& options);

}  // namespace ccr::proxy
