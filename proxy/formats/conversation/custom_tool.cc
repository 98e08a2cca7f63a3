#include "proxy/formats/conversation/custom_tool.h"

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy {

Grammar GrammarOf(const Tool& tool) {
  const json::object* custom = FindObject(tool.own, "custom");
  const json::object* format = FindObject(custom == nullptr ? tool.own : *custom, "format");
  const json::object* grammar = format == nullptr ? nullptr : FindObject(*format, "grammar");
  if (grammar != nullptr) format = grammar;
  if (format == nullptr) return {};
  return {.syntax = FindText(*format, "syntax"), .definition = FindText(*format, "definition")};
}

std::string CustomToolDescription(const Tool& tool) {
  std::string description = tool.description;
  if (const Grammar grammar = GrammarOf(tool); !grammar.definition.empty())
    absl::StrAppend(&description, description.empty() ? "" : "\n\n", "The input follows this grammar:\n",
                    ToAbsl(grammar.definition));
  return description;
}

std::string CustomInput(std::string_view arguments) {
  const absl::StatusOr<json::value> parsed = ParseJson(arguments);
  const json::object* object = parsed.ok() ? parsed->if_object() : nullptr;
  if (object == nullptr) return std::string(arguments);
  const json::value* input = Find(*object, "input");
  if (input == nullptr && object->size() == 1) input = &object->begin()->value();
  if (input == nullptr) return object->empty() ? std::string() : std::string(arguments);
  return input->is_string() ? std::string(View(input->get_string())) : ToJson(*input);
}

}  // namespace ccr::proxy
