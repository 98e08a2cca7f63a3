#include "proxy/formats/responses/tools_reader.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/formats/responses/parts.h"

namespace ccr::proxy::responses {
namespace {

json::value Taken(json::object* from, std::string_view key) {
  json::value* value = Find(*from, key);
  return value == nullptr ? json::value() : json::value(std::move(*value));
}

Tool ReadNamed(Tool::Kind kind, json::object* from) {
  // Chat Completions' form has the function's members in an object of their own.
  json::object* inner = FindObject(*from, kind == Tool::Kind::kCustom ? "custom" : "function");
  if (inner != nullptr && FindText(*from, "name").empty()) from = inner;
  return {
      .kind = kind,
      .name = std::string(FindText(*from, "name")),
      .description = std::string(FindText(*from, "description")),
      .parameters = Taken(from, "parameters"),
      .strict = FindFlag(*from, "strict"),
      .cache_control = Taken(from, "cache_control"),
      .deferred = FindBool(*from, "defer_loading"),
      .own = Others(from, {"type", "name", "description", "parameters", "strict", "cache_control", "defer_loading"})};
}

Tool ReadWhole(Tool::Kind kind, json::object* from) {
  const std::string_view name = FindText(*from, "name");
  return {.kind = kind,
          .name = std::string(name.empty() ? FindText(*from, "type") : name),
          .own = json::object(std::move(*from))};
}

void ReadNamespace(json::object* from, Notes* notes, std::vector<Tool>* out) {
  const std::string group(FindText(*from, "name"));
  json::array* members = FindArray(*from, "tools");
  if (members == nullptr) return;
  const size_t first = out->size();
  ReadTools(members, notes, out);
  for (size_t i = first; i < out->size(); ++i) {
    Tool& tool = (*out)[i];
    if (tool.kind != Tool::Kind::kFunction && tool.kind != Tool::Kind::kCustom) continue;
    tool.group = group;
    tool.name_in_group = std::exchange(tool.name, FlatName(group, tool.name));
  }
  if (out->size() > first) (*out)[first].own["namespace"] = Others(from, {"type", "name", "tools"});
}

void ReadTool(json::object* from, Notes* notes, std::vector<Tool>* out) {
  const std::string_view type = FindText(*from, "type");
  if (type == "namespace") return ReadNamespace(from, notes, out);
  if (type.starts_with("web_search")) {
    out->push_back(ReadWhole(Tool::Kind::kWebSearch, from));
    return;
  }
  if (type != "function" && type != "custom" && !type.empty()) {
    out->push_back(ReadWhole(Tool::Kind::kOther, from));
    return;
  }
  Tool tool = ReadNamed(type == "custom" ? Tool::Kind::kCustom : Tool::Kind::kFunction, from);
  if (tool.name.empty()) return AddNote(notes, "tools: one without a name was dropped");
  out->push_back(std::move(tool));
}

std::string_view NameOf(const json::object& choice) {
  const json::object* function = FindObject(choice, "function");
  return FindText(function == nullptr ? choice : *function, "name");
}

bool ReadAllowed(const json::object& choice, ToolChoice* out) {
  const json::object* nested = FindObject(choice, "allowed_tools");
  const json::object& allowed = nested == nullptr ? choice : *nested;
  out->kind = FindText(allowed, "mode") == "required" ? ToolChoice::Kind::kAny : ToolChoice::Kind::kAuto;
  const json::array* tools = FindArray(allowed, "tools");
  for (size_t i = 0; tools != nullptr && i < tools->size(); ++i) {
    const json::object* tool = (*tools)[i].if_object();
    if (tool == nullptr) continue;
    const std::string_view name = NameOf(*tool);
    out->allowed.push_back(name.empty() ? std::string(FindText(*tool, "type"))
                                        : FlatName(FindText(*tool, "namespace"), name));
  }
  return true;
}

}  // namespace

void ReadTools(json::array* tools, Notes* notes, std::vector<Tool>* out) {
  out->reserve(out->size() + tools->size());
  for (json::value& tool : *tools) {
    if (tool.is_object()) ReadTool(&tool.get_object(), notes, out);
  }
}

bool ReadToolChoice(const json::value& choice, ToolChoice* out) {
  if (choice.is_string()) {
    const std::string_view mode = View(choice.get_string());
    out->kind = mode == "auto"       ? ToolChoice::Kind::kAuto
                : mode == "none"     ? ToolChoice::Kind::kNone
                : mode == "required" ? ToolChoice::Kind::kAny
                                     : ToolChoice::Kind::kUnset;
    return out->kind != ToolChoice::Kind::kUnset;
  }
  const json::object* object = choice.if_object();
  if (object == nullptr) return false;
  const std::string_view type = FindText(*object, "type");
  if (type == "allowed_tools") return ReadAllowed(*object, out);
  const std::string_view name = NameOf(*object);
  if (name.empty() || (type != "function" && type != "custom")) return false;
  out->kind = ToolChoice::Kind::kTool;
  out->name = FlatName(FindText(*object, "namespace"), name);
  return true;
}

}  // namespace ccr::proxy::responses
