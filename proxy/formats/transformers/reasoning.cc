#include "proxy/formats/transformers/body_edits.h"
#include "proxy/formats/transformers/table.h"

namespace ccr::proxy {
namespace {

int64_t BudgetOf(std::string_view effort) {
  if (effort == "minimal" || effort == "low") return 1024;
  return effort == "medium" ? 8192 : 24576;
}

void EditReasoningRequest(const EditContext& context, json::object* body) {
  const json::value* enable = Find(context.options, "enable");
  if (enable != nullptr && *enable == false) {
    Drop(context, "reasoning_effort", body);
    Drop(context, "reasoning", body);
    (*body)["thinking"] = json::object({{"type", "disabled"}});
    (*body)["enable_thinking"] = false;
    return;
  }
  const std::string_view effort = FindText(*body, "reasoning_effort");
  if (effort.empty() || effort == "none") return;
  const int64_t budget = BudgetOf(effort);
  (*body)["thinking"] = json::object({{"type", "enabled"}, {"budget_tokens", budget}});
  (*body)["enable_thinking"] = true;
}

}  // namespace

const Transformer kReasoning = {.name = "reasoning", .edit_request = EditReasoningRequest};

}  // namespace ccr::proxy
