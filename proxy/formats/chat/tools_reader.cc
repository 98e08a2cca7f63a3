#include "proxy/formats/chat/tools_reader.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ccr::proxy::chat {
namespace {

void TakeBool(json::object* from, std::string_view key, std::optional<bool>* to) {
  const json::value* value = Find(*from, key);
  if (value == nullptr || !value->is_bool()) return;
  *to = value->get_bool();
  from->stable_erase(key);
}

// Reads name, description, parameters and strict; what is left goes to own[key].
void ReadDefinition(json::object definition, std::string_view key, Tool* tool) {
  tool->name = TakeText(&definition, "name");
  tool->description = TakeWords(&definition, "description");
  if (tool->kind == Tool::Kind::kFunction) {
    Adopt(Take(&definition, "parameters"), &tool->parameters);
    TakeBool(&definition, "strict", &tool->strict);
  }
  if (!definition.empty()) tool->own[key] = std::move(definition);
}

void AddWhole(Tool::Kind kind, json::object given, std::vector<Tool>* tools) {
  Tool& tool = tools->emplace_back();
  tool.kind = kind;
  tool.name = FindText(given, "name");
  Adopt(std::move(given), &tool.own);
}

// {"type":"function","function":{...}}, and a function without that around it.
void AddTool(json::object given, std::vector<Tool>* tools) {
  const std::string type(FindText(given, "type"));
  const bool bare = Find(given, "type") == nullptr && Find(given, "function") == nullptr;
  const std::string_view key = type == "custom" ? "custom" : "function";
  const bool known = type.empty() || type == key;
  const json::object* definition = bare ? &given : known ? FindObject(given, key) : nullptr;
  if (definition == nullptr || FindText(*definition, "name").empty()) {
    return AddWhole(type.starts_with("web_search") ? Tool::Kind::kWebSearch : Tool::Kind::kOther, std::move(given),
                    tools);
  }
  Tool& tool = tools->emplace_back();
  if (type == "custom") tool.kind = Tool::Kind::kCustom;
  if (FindObject(given, "cache_control") != nullptr) Adopt(Take(&given, "cache_control"), &tool.cache_control);
  if (bare) return ReadDefinition(std::move(given), key, &tool);
  json::value inner = Take(&given, key);
  ReadDefinition(std::move(inner.get_object()), key, &tool);
  given.stable_erase("type");
  for (json::key_value_pair& member : given) tool.own[member.key()] = member.value();
}

void AddLegacy(json::object given, std::vector<Tool>* tools) {
  Tool& tool = tools->emplace_back();
  ReadDefinition(std::move(given), "function", &tool);
  tool.own[kFunctions] = true;
}

std::string NameOf(const json::object& choice) {
  for (const std::string_view key : {"function", "custom"}) {
    if (const json::object* named = FindObject(choice, key); named != nullptr)
      return std::string(FindText(*named, "name"));
  }
  return std::string(FindText(choice, "name"));
}

bool ReadMode(std::string_view mode, ToolChoice* choice) {
  if (mode == "auto") {
    choice->kind = ToolChoice::Kind::kAuto;
  } else if (mode == "none") {
    choice->kind = ToolChoice::Kind::kNone;
  } else if (mode == "required" || mode == "any") {
    choice->kind = ToolChoice::Kind::kAny;
  } else {
    return false;
  }
  return true;
}

bool ReadAllowed(const json::object& given, ToolChoice* choice) {
  const json::object* allowed = FindObject(given, "allowed_tools");
  if (allowed == nullptr) allowed = &given;
  if (!ReadMode(FindText(*allowed, "mode"), choice)) return false;
  const json::array* tools = FindArray(*allowed, "tools");
  for (size_t i = 0; tools != nullptr && i < tools->size(); ++i) {
    const json::object* tool = (*tools)[i].if_object();
    std::string name = tool == nullptr ? std::string() : NameOf(*tool);
    if (!name.empty()) choice->allowed.push_back(std::move(name));
  }
  return true;
}

bool ReadChoice(const json::value& given, ToolChoice* choice) {
  if (given.is_string()) return ReadMode(View(given.get_string()), choice);
  const json::object* object = given.if_object();
  if (object == nullptr) return false;
  const std::string_view type = FindText(*object, "type");
  if (type == "allowed_tools") return ReadAllowed(*object, choice);
  if (ReadMode(type, choice)) return true;
  choice->name = NameOf(*object);
  if (choice->name.empty()) return false;
  choice->kind = ToolChoice::Kind::kTool;
  return true;
}

}  // namespace

void ReadTools(json::object* body, ModelRequest* request) {
  for (const std::string_view key : {std::string_view("tools"), kFunctions}) {
    json::array* list = FindArray(*body, key);
    if (list == nullptr) continue;
    for (json::value& tool : *list) {
      if (!tool.is_object()) continue;
      key == kFunctions ? AddLegacy(std::move(tool.get_object()), &request->tools)
                        : AddTool(std::move(tool.get_object()), &request->tools);
    }
    body->stable_erase(key);
  }
  if (Find(*body, kWebSearchOptions) != nullptr) {
    Tool& search = request->tools.emplace_back();
    search.kind = Tool::Kind::kWebSearch;
    search.name = "web_search";
    search.own[kWebSearchOptions] = Take(body, kWebSearchOptions);
  }
  if (const json::value* choice = Find(*body, "tool_choice"); choice != nullptr) {
    // A list of allowed tools that names none stays as it is.
    const json::object* object = choice->if_object();
    const bool listed = object != nullptr && FindText(*object, "type") == "allowed_tools";
    if (ReadChoice(*choice, &request->tool_choice) && !(listed && request->tool_choice.allowed.empty()))
      body->stable_erase("tool_choice");
  } else if (const json::value* legacy = Find(*body, kFunctionCall); legacy != nullptr) {
    ReadChoice(*legacy, &request->tool_choice);
  }
  TakeBool(body, "parallel_tool_calls", &request->tool_choice.parallel);
}

}  // namespace ccr::proxy::chat
