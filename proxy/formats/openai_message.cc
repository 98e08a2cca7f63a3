#include "proxy/formats/openai_message.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"

namespace ccr::proxy {

bool IsBlank(std::string_view text) {
  return std::all_of(text.begin(), text.end(), absl::ascii_isspace);
}

json::object ToolInput(const json::value* arguments, const json::storage_ptr& storage, JsonBudget* budget,
                       Notes* notes) {
  if (arguments == nullptr) return json::object(storage);
  if (arguments->is_object()) return json::object(arguments->get_object(), storage);
  const std::string text = arguments->is_string() ? std::string(View(arguments->get_string())) : ToJson(*arguments);
  if (IsBlank(text) || !budget->Take(text)) return json::object(storage);
  absl::StatusOr<json::value> parsed = ParseJson(text, storage);
  if (parsed.ok() && parsed->is_object()) return std::move(parsed->get_object());
  AddNote(notes, "tool_calls.arguments: no JSON object, sent as raw_arguments");
  return {{{"raw_arguments", text}}, storage};
}

}  // namespace ccr::proxy
