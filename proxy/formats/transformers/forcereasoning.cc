#include <string>
#include <string_view>

#include "proxy/formats/transformers/body_edits.h"
#include "proxy/formats/transformers/table.h"

namespace ccr::proxy {
namespace {

// What comes back between the tags becomes thinking by the provider's rule think_tags.
constexpr std::string_view kThinkFirst =
    "Before you answer, work the problem out in writing, however simple it looks. Write that part first, between "
    "<think> "
    "and </think>, and after the closing tag the answer alone.";

// To the last message, where it is the user's: results of tools are answered as the model likes.
void EditForceReasoningRequest(const EditContext& /*context*/, json::object* body) {
  json::array* messages = FindArray(*body, "messages");
  if (messages == nullptr || messages->empty() || !messages->back().is_object()) return;
  json::object& last = messages->back().get_object();
  if (FindText(last, "role") != "user") return;
  json::value* const found = last.if_contains("content");
  if (found == nullptr) return;
  json::value& content = *found;
  if (content.is_array()) {
    content.get_array().push_back(json::object{{"type", "text"}, {"text", kThinkFirst}});
  } else if (content.is_string()) {
    content.get_string().append("\n\n");
    content.get_string().append(kThinkFirst);
  }
}

}  // namespace

const Transformer kForceReasoning = {.name = "forcereasoning", .edit_request = EditForceReasoningRequest};

}  // namespace ccr::proxy
