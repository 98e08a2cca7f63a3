#include "proxy/formats/transformers/body_edits.h"
#include "proxy/formats/transformers/table.h"

namespace ccr::proxy {
namespace {

// The budget of thinking must stay below what the answer may be.
void CapAnthropic(const EditContext& context, int64_t max, json::object* body) {
  Cap(context, "max_tokens", max, body);
  json::object* thinking = FindObject(*body, "thinking");
  if (thinking != nullptr) Cap(context, "budget_tokens", max - 1, thinking);
}

void CapGemini(const EditContext& context, int64_t max, json::object* body) {
  json::object* config = FindObject(*body, "generationConfig");
  if (config == nullptr) return;
  Cap(context, "maxOutputTokens", max, config);
  json::object* thinking = FindObject(*config, "thinkingConfig");
  if (thinking != nullptr) Cap(context, "thinkingBudget", max - 1, thinking);
}

void EditMaxTokenRequest(const EditContext& context, json::object* body) {
  const auto max = static_cast<int64_t>(FindUint(context.options, "max_tokens"));
  if (max == 0) return;
  switch (context.format) {
    case Format::kAnthropic:
      return CapAnthropic(context, max, body);
    case Format::kGemini:
      return CapGemini(context, max, body);
    case Format::kChat:
      Cap(context, "max_tokens", max, body);
      Cap(context, "max_completion_tokens", max, body);
      return;
    case Format::kResponses:
      return;
  }
}

}  // namespace

const Transformer kMaxToken = {
    .name = "maxtoken", .edits_anthropic = true, .edits_gemini = true, .edit_request = EditMaxTokenRequest};

}  // namespace ccr::proxy
