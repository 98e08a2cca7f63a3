#include "proxy/formats/responses/tools_writer.h"

#include <cstddef>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/conversation/custom_tool.h"
#include "proxy/formats/responses/writing.h"
#include "proxy/formats/tool_names.h"

namespace ccr::proxy::responses {
namespace {

bool IsNamed(const Tool& tool) {
  return tool.kind == Tool::Kind::kFunction || tool.kind == Tool::Kind::kCustom;
}

class ToolsWriter {
 public:
  ToolsWriter(const ModelRequest& request, ToolNames* names, Notes* notes, std::string* out)
      : same_(request.origin == Format::kResponses), request_(request), names_(names), notes_(notes), out_(out) {}

  void Write();

 private:
  void FindLoaded();
  bool IsOffered(const Tool& tool) const;
  void WriteTool(const Tool& tool, JsonList* list);
  void WriteNamed(const Tool& tool);
  void WriteParameters(const Tool& tool);
  void WriteGrammar(const Tool& tool);
  // Those from `first` on that are of one namespace; returns where the next tool is.
  size_t WriteNamespace(size_t first, JsonList* list);
  void WriteChoice();
  void WriteChosen(std::string_view name);
  std::string NameOf(const Tool& tool) const;
  const Tool* Written(std::string_view name) const;

  const bool same_;
  const ModelRequest& request_;
  ToolNames* const names_;
  Notes* const notes_;
  std::string* const out_;
  bool searches_ = false;  // with a tool of another format, which is dropped: so all are offered
  absl::flat_hash_set<std::string> loaded_;
  std::vector<const Tool*> written_;
};

void ToolsWriter::Write() {
  const size_t before = out_->size();
  FindLoaded();
  *out_ += ",\"tools\":";
  JsonList list(out_);
  for (size_t i = 0; i < request_.tools.size();) {
    const Tool& tool = request_.tools[i];
    if (same_ && !tool.group.empty()) {
      i = WriteNamespace(i, &list);
      continue;
    }
    WriteTool(tool, &list);
    ++i;
  }
  list.Close();
  if (list.empty()) return out_->resize(before);
  WriteChoice();
  if (request_.tool_choice.parallel) {
    out_->append(",\"parallel_tool_calls\":").append(*request_.tool_choice.parallel ? "true" : "false");
  }
}

// What a search of the tools of another format gave in the history, and whether there is one.
void ToolsWriter::FindLoaded() {
  if (same_) return;
  bool deferred = false;
  for (const Tool& tool : request_.tools) {
    deferred |= tool.deferred;
    if (tool.kind != Tool::Kind::kOther) continue;
    searches_ |= tool.name.starts_with("tool_search") || FindText(tool.own, "type").starts_with("tool_search");
  }
  if (!deferred || searches_) return;
  for (const Message& message : request_.messages) {
    if (message.role != Role::kTool) continue;
    for (const Part& result : message.parts) {
      for (const Part& part : result.content) {
        if (part.kind == PartKind::kOther) loaded_.insert(std::string(FindText(part.own, "tool_name")));
      }
    }
  }
}

bool ToolsWriter::IsOffered(const Tool& tool) const {
  if (!tool.deferred || same_ || searches_ || loaded_.contains(tool.name)) return true;
  AddNote(notes_, "tools: a deferred one left out");
  return false;
}

void ToolsWriter::WriteTool(const Tool& tool, JsonList* list) {
  if (tool.kind == Tool::Kind::kWebSearch) {
    written_.push_back(&tool);
    if (same_) return AppendJson(tool.own, list->Next());
    list->Next()->append(R"({"type":"web_search"})");
  } else if (tool.kind == Tool::Kind::kOther) {
    if (!same_) return AddNote(notes_, absl::StrCat("tools: ", ToAbsl(Utf8Prefix(tool.name, 64)), " dropped"));
    written_.push_back(&tool);
    AppendJson(tool.own, list->Next());
  } else if (IsOffered(tool)) {
    list->Next();
    WriteNamed(tool);
  }
}

void ToolsWriter::WriteNamed(const Tool& tool) {
  written_.push_back(&tool);
  const bool custom = tool.kind == Tool::Kind::kCustom;
  out_->append(custom ? R"({"type":"custom")" : R"({"type":"function")");
  AppendMember("name", NameOf(tool), out_);
  if (!tool.description.empty()) AppendMember("description", tool.description, out_);
  if (!custom) WriteParameters(tool);
  if (custom && !same_) WriteGrammar(tool);
  if (same_ && tool.deferred) *out_ += ",\"defer_loading\":true";
  if (same_) AppendOthers(tool.own, {"namespace"}, out_);
  if (same_) AppendCacheMark(tool.cache_control, out_);
  *out_ += '}';
}

void ToolsWriter::WriteParameters(const Tool& tool) {
  *out_ += ",\"parameters\":";
  const json::object* schema = tool.parameters.if_object();
  const bool typed = schema != nullptr && schema->contains("type");
  const bool listed = schema != nullptr && schema->contains("properties");
  if (schema == nullptr) {
    *out_ += R"({"type":"object","properties":{}})";
  } else {
    AppendJson(*schema, out_);
    if (!typed || !listed) {
      out_->pop_back();
      if (!typed) out_->append(schema->empty() ? "" : ",").append(R"("type":"object")");
      if (!listed) out_->append(schema->empty() && typed ? "" : ",").append(R"("properties":{})");
      *out_ += '}';
    }
  }
  // The API takes a function for strict where nothing is said, and most schemas are not fit for it.
  if (tool.strict) {
    out_->append(",\"strict\":").append(*tool.strict ? "true" : "false");
  } else if (!same_) {
    *out_ += ",\"strict\":false";
  }
}

void ToolsWriter::WriteGrammar(const Tool& tool) {
  const Grammar grammar = GrammarOf(tool);
  if (grammar.definition.empty()) return;
  *out_ += R"(,"format":{"type":"grammar")";
  AppendMember("syntax", grammar.syntax, out_);
  AppendMember("definition", grammar.definition, out_);
  *out_ += '}';
}

size_t ToolsWriter::WriteNamespace(size_t first, JsonList* list) {
  const std::string& group = request_.tools[first].group;
  list->Next()->append(R"({"type":"namespace")");
  AppendMember("name", group, out_);
  if (const json::object* own = FindObject(request_.tools[first].own, "namespace"); own != nullptr) {
    AppendOthers(*own, {}, out_);
  }
  *out_ += ",\"tools\":";
  JsonList members(out_);
  size_t next = first;
  for (; next < request_.tools.size() && request_.tools[next].group == group; ++next) {
    members.Next();
    WriteNamed(request_.tools[next]);
  }
  members.Close();
  *out_ += '}';
  return next;
}

void ToolsWriter::WriteChoice() {
  const ToolChoice& choice = request_.tool_choice;
  if (choice.kind == ToolChoice::Kind::kUnset) {
    const json::value* own = same_ ? Find(request_.own, "tool_choice") : nullptr;
    if (own == nullptr) return;
    *out_ += ",\"tool_choice\":";
    return AppendJson(*own, out_);
  }
  *out_ += ",\"tool_choice\":";
  const bool any = choice.kind == ToolChoice::Kind::kAny;
  if (choice.kind == ToolChoice::Kind::kNone) {
    *out_ += "\"none\"";
  } else if (choice.kind == ToolChoice::Kind::kTool && Written(choice.name) != nullptr) {
    WriteChosen(choice.name);
  } else if (same_ && !choice.allowed.empty()) {
    out_->append(R"({"type":"allowed_tools","mode":")").append(any ? "required" : "auto").append("\",\"tools\":");
    JsonList tools(out_);
    for (const std::string& name : choice.allowed) {
      if (Written(name) == nullptr) continue;
      tools.Next();
      WriteChosen(name);
    }
    tools.Close();
    *out_ += '}';
  } else {
    if (choice.kind == ToolChoice::Kind::kTool) AddNote(notes_, "tool_choice: its tool was dropped, now auto");
    out_->append(any ? "\"required\"" : "\"auto\"");
  }
}

void ToolsWriter::WriteChosen(std::string_view name) {
  const Tool& tool = *Written(name);
  if (!IsNamed(tool)) {
    const std::string_view type = FindText(tool.own, "type");
    out_->append(R"({"type":)");
    AppendJsonString(same_ && !type.empty() ? type : "web_search", out_);
    *out_ += '}';
    return;
  }
  out_->append(tool.kind == Tool::Kind::kCustom ? R"({"type":"custom")" : R"({"type":"function")");
  const bool grouped = same_ && !tool.group.empty();
  AppendMember("name", NameOf(tool), out_);
  if (grouped) AppendMember("namespace", tool.group, out_);
  *out_ += '}';
}

std::string ToolsWriter::NameOf(const Tool& tool) const {
  if (!same_) return OpenAiToolName(tool.name, names_);
  return tool.group.empty() ? tool.name : tool.name_in_group;
}

const Tool* ToolsWriter::Written(std::string_view name) const {
  for (const Tool* tool : written_) {
    if (tool->name == name || (!IsNamed(*tool) && FindText(tool->own, "type") == name)) return tool;
  }
  return nullptr;
}

}  // namespace

void WriteTools(const ModelRequest& request, ToolNames* names, Notes* notes, std::string* out) {
  ToolsWriter(request, names, notes, out).Write();
}

}  // namespace ccr::proxy::responses
