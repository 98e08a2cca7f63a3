#include "proxy/formats/transformers/body_edits.h"

#include <string>

namespace ccr::proxy {
namespace {

size_t EraseFrom(json::value* value, std::string_view name);

size_t EraseFromContent(json::object* holder, std::string_view name) {
  size_t erased = holder->stable_erase(name);
  if (json::value* content = Find(*holder, "content"); content != nullptr) erased += EraseFrom(content, name);
  return erased;
}

// From an object with content, or from a list of them.
size_t EraseFrom(json::value* value, std::string_view name) {
  if (value->is_object()) return EraseFromContent(&value->get_object(), name);
  size_t erased = 0;
  if (!value->is_array()) return 0;
  for (json::value& element : value->get_array()) erased += EraseFrom(&element, name);
  return erased;
}

}  // namespace

void Drop(const EditContext& context, std::string_view name, json::object* body) {
  if (body->stable_erase(name) > 0) AddNote(context.notes, std::string(name) + ": dropped");
}

void Rename(std::string_view from, std::string_view to, json::object* body) {
  const json::value* value = Find(*body, from);
  if (value == nullptr) return;
  json::value moved = *value;
  body->stable_erase(from);
  if (Find(*body, to) == nullptr) (*body)[to] = std::move(moved);
}

void Cap(const EditContext& context, std::string_view name, int64_t max, json::object* body) {
  json::value* value = Find(*body, name);
  if (value == nullptr || !value->is_number() || value->to_number<double>() <= static_cast<double>(max)) return;
  *value = max;
  AddNote(context.notes, std::string(name) + ": lowered to " + std::to_string(max));
}

void EraseCacheControl(const EditContext& context, json::object* body) {
  size_t erased = body->stable_erase("cache_control");
  for (const std::string_view field : {"system", "messages", "tools"}) {
    if (json::value* value = Find(*body, field); value != nullptr) erased += EraseFrom(value, "cache_control");
  }
  if (erased > 0) AddNote(context.notes, "cache_control: dropped");
}

void EraseSchemaNames(const EditContext& context, json::object* body) {
  json::array* tools = FindArray(*body, "tools");
  for (size_t i = 0; tools != nullptr && i < tools->size(); ++i) {
    json::object* tool = (*tools)[i].if_object();
    json::object* function = tool == nullptr ? nullptr : FindObject(*tool, "function");
    json::object* parameters = function == nullptr ? nullptr : FindObject(*function, "parameters");
    if (parameters != nullptr && parameters->stable_erase("$schema") > 0)
      AddNote(context.notes, "tools.$schema: dropped");
  }
}

bool IsGptOss(std::string_view model) {
  return model.find("gpt-oss") != std::string_view::npos;
}

bool IsClaude(std::string_view model) {
  return model.find("claude") != std::string_view::npos;
}

void ForEachCall(json::object* answer, absl::FunctionRef<void(json::object& call)> edit) {
  json::array* choices = FindArray(*answer, "choices");
  for (size_t i = 0; choices != nullptr && i < choices->size(); ++i) {
    json::object* choice = (*choices)[i].if_object();
    if (choice == nullptr) continue;
    json::object* message = FindObject(*choice, "delta");
    if (message == nullptr) message = FindObject(*choice, "message");
    json::array* calls = message == nullptr ? nullptr : FindArray(*message, "tool_calls");
    for (size_t j = 0; calls != nullptr && j < calls->size(); ++j) {
      if (json::object* call = (*calls)[j].if_object(); call != nullptr) edit(*call);
    }
  }
}

}  // namespace ccr::proxy
