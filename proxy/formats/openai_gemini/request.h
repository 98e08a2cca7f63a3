// The request half of the translation from OpenAI to Gemini; openai_gemini.h has the table.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy {

// Like Translation::Request. The model is named by the URL alone.
absl::StatusOr<TranslatedRequest> OpenAiRequestToGemini(std::string_view body, std::string_view model, Notes* notes);

}  // namespace ccr::proxy
