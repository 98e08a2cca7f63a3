#include "proxy/formats/transformers/table.h"

namespace ccr::proxy {
namespace {

// Objects are merged; where both have a member, the request's stays.
void Merge(const json::object& added, json::object* into) {
  for (const json::key_value_pair& member : added) {
    json::value* present = into->if_contains(member.key());
    if (present == nullptr) {
      into->emplace(member.key(), member.value());
    } else if (present->is_object() && member.value().is_object()) {
      Merge(member.value().get_object(), &present->get_object());
    }
  }
}

void EditCustomParamsRequest(const EditContext& context, json::object* body) {
  Merge(context.options, body);
}

}  // namespace

const Transformer kCustomParams = {
    .name = "customparams", .edits_anthropic = true, .edits_gemini = true, .edit_request = EditCustomParamsRequest};

}  // namespace ccr::proxy
