#include "proxy/formats/transformers/body_edits.h"
#include "proxy/formats/transformers/table.h"

namespace ccr::proxy {
namespace {

void EditMaxCompletionTokensRequest(const EditContext&, json::object* body) {
  Rename("max_tokens", "max_completion_tokens", body);
}

}  // namespace

const Transformer kMaxCompletionTokens = {.name = "maxcompletiontokens",
                                          .edit_request = EditMaxCompletionTokensRequest};

}  // namespace ccr::proxy
