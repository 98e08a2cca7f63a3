#include <string>

#include "proxy/formats/transformers/body_edits.h"
#include "proxy/formats/transformers/table.h"

namespace ccr::proxy {
namespace {

// Parts that are text alone, as one text; nothing changes where another kind is among them.
void JoinTexts(json::object* message) {
  const json::array* parts = FindArray(*message, "content");
  if (parts == nullptr) return;
  std::string text;
  for (const json::value& part : *parts) {
    if (!part.is_object() || FindText(part.get_object(), "type") != "text") return;
    if (!text.empty()) text += "\n\n";
    text += FindText(part.get_object(), "text");
  }
  (*message)["content"] = text;
}

void EditCerebrasRequest(const EditContext& context, json::object* body) {
  EraseCacheControl(context, body);
  EraseSchemaNames(context, body);
  for (const std::string_view field : {"frequency_penalty", "presence_penalty", "logit_bias", "reasoning"})
    Drop(context, field, body);
  if (!IsGptOss(context.model)) Drop(context, "reasoning_effort", body);
  json::array* messages = FindArray(*body, "messages");
  for (size_t i = 0; messages != nullptr && i < messages->size(); ++i) {
    if (json::object* message = (*messages)[i].if_object(); message != nullptr) JoinTexts(message);
  }
}

}  // namespace

const Transformer kCerebras = {.name = "cerebras", .edit_request = EditCerebrasRequest};

}  // namespace ccr::proxy
