#include "proxy/formats/gemini/arguments.h"

#include <boost/json/monotonic_resource.hpp>

#include "proxy/formats/gemini/object_text.h"
#include "proxy/formats/openai_message.h"

namespace ccr::proxy::gemini {
namespace {

void AppendLone(std::string_view name, std::string_view text, std::string* out) {
  ObjectText object(out);
  object.Text(name, text);
  object.Close();
}

}  // namespace

void AppendArguments(const Part& call, JsonBudget* budget, Notes* notes, std::string* out) {
  if (call.custom) return AppendLone("input", call.text, out);
  if (IsBlank(call.text)) {
    out->append("{}");
    return;
  }
  if (!budget->Take(call.text)) return AppendLone("raw_arguments", call.text, out);
  unsigned char buffer[4096];
  json::monotonic_resource memory(buffer, sizeof buffer);
  const absl::StatusOr<json::value> parsed = ParseJson(call.text, &memory);
  if (parsed.ok() && parsed->is_object()) return AppendJson(parsed->get_object(), out);
  AddNote(notes, "tool_calls.arguments: no JSON object, sent as raw_arguments");
  AppendLone("raw_arguments", call.text, out);
}

}  // namespace ccr::proxy::gemini
