#include <string_view>

#include "proxy/formats/transformers/body_edits.h"
#include "proxy/formats/transformers/table.h"

namespace ccr::proxy {
namespace {

// api-docs.deepseek.com: what the models before reasoning took; V4 takes 384K, and by other hosts' names who knows.
constexpr int64_t kMaxTokens = 8192;

bool IsOld(std::string_view model) {
  return model.ends_with("deepseek-chat") || model.ends_with("deepseek-coder");
}

void EditDeepseekRequest(const EditContext& context, json::object* body) {
  Rename("max_completion_tokens", "max_tokens", body);
  if (IsOld(context.model)) Cap(context, "max_tokens", kMaxTokens, body);
}

}  // namespace

const Transformer kDeepseek = {.name = "deepseek", .edit_request = EditDeepseekRequest};

}  // namespace ccr::proxy
