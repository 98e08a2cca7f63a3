#include "proxy/formats/chat/tools_writer.h"

#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/conversation/custom_tool.h"

namespace ccr::proxy::chat {
namespace {

constexpr std::string_view kToolSearch = "tool_search";

class ToolsWriter {
 public:
  ToolsWriter(const ModelRequest& request, MessageWriter* messages, Notes* notes, ObjectWriter* body)
      : request_(request),
        choice_(request.tool_choice),
        own_(request.origin == Format::kChat),
        messages_(messages),
        notes_(notes),
        body_(body) {}

  void Run() {
    FindLoaded();
    std::string tools;
    std::string functions;
    {
      ListWriter tool_list(&tools);
      ListWriter function_list(&functions);
      for (const Tool& tool : request_.tools) WriteTool(tool, &tool_list, &function_list);
    }
    if (tools != "[]") *body_->Key("tools") += tools;
    if (functions != "[]") *body_->Key(kFunctions) += functions;
    if (!own_ && tools == "[]") return;
    WriteChoice();
    if (choice_.parallel && (own_ || !*choice_.parallel)) body_->Bool("parallel_tool_calls", *choice_.parallel);
  }

 private:
  void FindLoaded();
  bool IsOffered(const Tool& tool) const;
  void WriteTool(const Tool& tool, ListWriter* tools, ListWriter* functions);
  void WriteWhole(const Tool& tool, ListWriter* tools);
  void WriteDefinition(const Tool& tool, std::string_view key, ObjectWriter* definition);
  void WriteParameters(const Tool& tool, std::string* out);
  void WriteCustom(const Tool& tool, ObjectWriter* function);
  void WriteChoice();
  void WriteAllowed();
  void WriteNamed(std::string_view name, std::string* out);

  const ModelRequest& request_;
  const ToolChoice& choice_;
  const bool own_;
  MessageWriter* const messages_;
  Notes* const notes_;
  ObjectWriter* const body_;
  absl::flat_hash_set<std::string> loaded_;  // deferred ones that a result named
  absl::flat_hash_set<std::string> custom_;
  absl::flat_hash_set<std::string> written_;
  bool searches_tools_ = false;  // with a tool of the provider's, which is not sent
};

void ToolsWriter::FindLoaded() {
  bool deferred = false;
  for (const Tool& tool : request_.tools) {
    deferred |= tool.deferred;
    if (tool.kind == Tool::Kind::kOther) searches_tools_ |= FindText(tool.own, "type").starts_with(kToolSearch);
  }
  for (size_t i = 0; deferred && i < request_.messages.size(); ++i) {
    for (const Part& result : request_.messages[i].parts) {
      for (const Part& part : result.content)
        if (part.kind == PartKind::kOther && !part.name.empty()) loaded_.insert(part.name);
    }
  }
}

bool ToolsWriter::IsOffered(const Tool& tool) const {
  if (!tool.deferred || searches_tools_ || loaded_.contains(tool.name)) return true;
  AddNote(notes_, "tools: a deferred one left out");
  return false;
}

void ToolsWriter::WriteTool(const Tool& tool, ListWriter* tools, ListWriter* functions) {
  if (!IsOffered(tool)) return;
  if (tool.kind == Tool::Kind::kWebSearch || tool.kind == Tool::Kind::kOther) return WriteWhole(tool, tools);
  written_.insert(tool.name);
  const bool custom = own_ && tool.kind == Tool::Kind::kCustom;
  if (custom) custom_.insert(tool.name);
  if (own_ && tool.own.contains(kFunctions)) {
    ObjectWriter function(functions->Next());
    return WriteDefinition(tool, "function", &function);
  }
  const std::string_view key = custom ? "custom" : "function";
  ObjectWriter object(tools->Next());
  object.Text("type", key);
  {
    ObjectWriter definition(object.Key(key));
    WriteDefinition(tool, key, &definition);
  }
  if (!tool.cache_control.is_null()) object.Json("cache_control", tool.cache_control);
  for (const json::key_value_pair& member : tool.own) {
    const std::string_view name(member.key().data(), member.key().size());
    if (own_ && name != key) object.Json(name, member.value());
  }
}

void ToolsWriter::WriteWhole(const Tool& tool, ListWriter* tools) {
  constexpr size_t kMaxToolType = 64;
  if (own_ && tool.own.contains(kWebSearchOptions)) {
    body_->Json(kWebSearchOptions, tool.own.at(kWebSearchOptions));
  } else if (own_) {
    AppendJson(tool.own, tools->Next());
  } else {
    const std::string_view type = FindText(tool.own, "type");
    AddNote(notes_, absl::StrCat("tools: ", Utf8Prefix(type.empty() ? std::string_view(tool.name) : type, kMaxToolType),
                                 " dropped"));
  }
}

void ToolsWriter::WriteDefinition(const Tool& tool, std::string_view key, ObjectWriter* definition) {
  definition->Text("name", messages_->ToolName(tool.name));
  if (!own_ && tool.kind == Tool::Kind::kCustom) return WriteCustom(tool, definition);
  if (!tool.description.empty()) definition->Text("description", tool.description);
  if (tool.kind == Tool::Kind::kFunction)
    WriteParameters(tool, own_ && tool.parameters.is_null() ? nullptr : definition->Key("parameters"));
  if (tool.strict && (own_ || request_.origin == Format::kResponses)) {
    definition->Bool("strict", *tool.strict);
  } else if (tool.strict == true) {
    AddNote(notes_, "tools.strict: dropped");
  }
  if (own_) definition->Members(FindObject(tool.own, key));
}

// Of this format as they came; else an object, which some servers insist on.
void ToolsWriter::WriteParameters(const Tool& tool, std::string* out) {
  if (out == nullptr) return;
  if (own_) return AppendJson(tool.parameters, out);
  const json::object* schema = tool.parameters.if_object();
  ObjectWriter object(out);
  object.Members(schema);
  if (schema == nullptr || !schema->contains("type")) object.Text("type", "object");
  if (schema == nullptr || !schema->contains("properties")) *object.Key("properties") += "{}";
}

void ToolsWriter::WriteCustom(const Tool& tool, ObjectWriter* function) {
  const std::string description = CustomToolDescription(tool);
  if (!description.empty()) function->Text("description", description);
  *function->Key("parameters") += kCustomToolSchema;
}

void ToolsWriter::WriteChoice() {
  if (own_ && (request_.own.contains(kFunctionCall) || request_.own.contains("tool_choice"))) return;  // as it came
  switch (choice_.kind) {
    case ToolChoice::Kind::kUnset:
      return;
    case ToolChoice::Kind::kNone:
      return body_->Text("tool_choice", "none");
    case ToolChoice::Kind::kTool:
      if (own_ || written_.contains(choice_.name)) return WriteNamed(choice_.name, body_->Key("tool_choice"));
      AddNote(notes_, "tool_choice: its tool was dropped, now auto");
      return body_->Text("tool_choice", "auto");
    case ToolChoice::Kind::kAuto:
    case ToolChoice::Kind::kAny:
      if (own_ && !choice_.allowed.empty()) return WriteAllowed();
      return body_->Text("tool_choice", choice_.kind == ToolChoice::Kind::kAny ? "required" : "auto");
  }
}

void ToolsWriter::WriteAllowed() {
  ObjectWriter choice(body_->Key("tool_choice"));
  choice.Text("type", "allowed_tools");
  ObjectWriter allowed(choice.Key("allowed_tools"));
  allowed.Text("mode", choice_.kind == ToolChoice::Kind::kAny ? "required" : "auto");
  ListWriter tools(allowed.Key("tools"));
  for (const std::string& name : choice_.allowed) WriteNamed(name, tools.Next());
}

void ToolsWriter::WriteNamed(std::string_view name, std::string* out) {
  const std::string_view key = custom_.contains(ToAbsl(name)) ? "custom" : "function";
  ObjectWriter choice(out);
  choice.Text("type", key);
  ObjectWriter function(choice.Key(key));
  function.Text("name", messages_->ToolName(name));
}

}  // namespace

void WriteTools(const ModelRequest& request, MessageWriter* messages, Notes* notes, ObjectWriter* body) {
  ToolsWriter(request, messages, notes, body).Run();
}

}  // namespace ccr::proxy::chat
