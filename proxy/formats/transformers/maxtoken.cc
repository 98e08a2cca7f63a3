#include "proxy/formats/transformers/body_edits.h"
#include "proxy/formats/transformers/table.h"

namespace ccr::proxy {
namespace {

void EditMaxTokenRequest(const EditContext& context, json::object* body) {
  const auto max = static_cast<int64_t>(FindUint(context.options, "max_tokens"));
  if (max == 0) return;
  Cap(context, "max_tokens", max, body);
  if (context.format == Format::kOpenAi) return Cap(context, "max_completion_tokens", max, body);
  json::object* thinking = FindObject(*body, "thinking");
  if (thinking != nullptr) Cap(context, "budget_tokens", max - 1, thinking);  // it must stay below max_tokens
}

}  // namespace

const Transformer kMaxToken = {.name = "maxtoken", .edits_anthropic = true, .edit_request = EditMaxTokenRequest};

}  // namespace ccr::proxy
