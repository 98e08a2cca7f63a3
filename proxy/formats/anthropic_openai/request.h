// Anthropic's request as OpenAI's; anthropic_openai.h holds the table.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "proxy/formats/anthropic_openai/translation.h"

namespace ccr::proxy {

// As Translation::Request.
absl::StatusOr<TranslatedRequest> AnthropicRequestToOpenAi(std::string_view body, std::string_view model,
                                                           const AnthropicToOpenAiOptions& options, Notes* notes);

}  // namespace ccr::proxy
