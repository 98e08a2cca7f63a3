#include "proxy/formats/transformers/body_edits.h"
#include "proxy/formats/transformers/numeric_ids.h"
#include "proxy/formats/transformers/table.h"

namespace ccr::proxy {
namespace {

void EditGroqRequest(const EditContext& context, json::object* body) {
  EraseCacheControl(context, body);
  EraseSchemaNames(context, body);
  Drop(context, "reasoning", body);
  if (!IsGptOss(context.model)) Drop(context, "reasoning_effort", body);
}

}  // namespace

const Transformer kGroq = {.name = "groq",
                           .edit_request = EditGroqRequest,
                           .edit_response = PrefixNumericIds,
                           .edit_stream = MakeNumericIdEdit};

}  // namespace ccr::proxy
