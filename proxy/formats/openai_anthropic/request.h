// The request half of the translation from OpenAI to Anthropic; openai_anthropic.h has the table.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy {

// Like Translation::Request. `notes` may be null.
absl::StatusOr<TranslatedRequest> OpenAiRequestToAnthropic(std::string_view body, std::string_view model, Notes* notes);

}  // namespace ccr::proxy
