#include "proxy/formats/transformers/body_edits.h"
#include "proxy/formats/transformers/table.h"

namespace ccr::proxy {
namespace {

void EditSamplingRequest(const EditContext& context, json::object* body) {
  if (const auto max = static_cast<int64_t>(FindUint(context.options, "max_tokens")); max > 0) {
    Cap(context, "max_tokens", max, body);
    Cap(context, "max_completion_tokens", max, body);
  }
  for (const std::string_view field : {"temperature", "top_p", "top_k", "repetition_penalty"}) {
    const json::value* value = Find(context.options, field);
    if (value == nullptr) continue;
    if (context.format == Format::kAnthropic && field == "repetition_penalty") {
      AddNote(context.notes, "repetition_penalty: not known to Anthropic, left out");
    } else {
      (*body)[field] = *value;
    }
  }
}

}  // namespace

const Transformer kSampling = {.name = "sampling", .edits_anthropic = true, .edit_request = EditSamplingRequest};

}  // namespace ccr::proxy
