#include "proxy/formats/transformers/body_edits.h"
#include "proxy/formats/transformers/table.h"

namespace ccr::proxy {
namespace {

constexpr int64_t kMaxTokens = 8192;

void EditDeepseekRequest(const EditContext& context, json::object* body) {
  Rename("max_completion_tokens", "max_tokens", body);
  Cap(context, "max_tokens", kMaxTokens, body);
  KeepReasoningOfThisTurn(body);
}

}  // namespace

const Transformer kDeepseek = {.name = "deepseek", .edit_request = EditDeepseekRequest, .keeps_reasoning = true};

}  // namespace ccr::proxy
