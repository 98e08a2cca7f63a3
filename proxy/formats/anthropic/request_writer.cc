#include "proxy/formats/anthropic/request_writer.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/anthropic/json_writer.h"
#include "proxy/formats/anthropic/message_writer.h"
#include "proxy/formats/conversation/custom_tool.h"

namespace ccr::proxy::anthropic {
namespace {

constexpr uint64_t kDefaultMaxTokens = 4096;
constexpr size_t kMaxUserIdBytes = 256;

// Claude after 3 refuses temperature and top_p together; models of others do not.
bool TakesOneSampler(std::string_view model) {
  const std::string name = absl::AsciiStrToLower(ToAbsl(model));
  return absl::StrContains(name, "claude") && !absl::StrContains(name, "claude-3");
}

// How a format that has no schemas is told what to answer.
std::string Instruction(const OutputFormat& output) {
  if (output.kind == OutputFormat::Kind::kJson) {
    return "Answer with one valid JSON object and nothing else: no explanation, no code fence.";
  }
  std::string text = "Answer with one valid JSON value and nothing else: no explanation, no code fence.";
  if (!output.schema.is_null()) absl::StrAppend(&text, " It must match this JSON schema:\n", ToJson(output.schema));
  return text;
}

class RequestWriter {
 public:
  RequestWriter(const ModelRequest& request, std::string_view model, Notes* notes)
      : request_(request),
        own_(request.origin == Format::kAnthropic),
        model_(model),
        notes_(notes),
        messages_(request, notes, &written_.tool_names),
        body_(&written_.body) {}

  absl::StatusOr<WrittenRequest> Run();

 private:
  std::string* Key(std::string_view name);
  void WriteMaxTokens();
  void WriteSystem();
  void WriteTools();
  void WriteTool(const Tool& tool, ListWriter* tools);
  void WriteFunction(const Tool& tool, std::string_view name, std::string* out);
  void WriteSchema(const Tool& tool, std::string* out);
  void WriteCalledTools(ListWriter* tools);
  void WriteToolChoice();
  void WriteThinking();
  void WriteSampling();
  void WriteFraction(std::string_view key, double given);
  void WriteStop();
  void WriteMetadata();
  void WriteOutput();
  void WriteOthers();
  const json::object* Own(std::string_view member) const;
  bool thinks() const {
    return request_.reasoning.mode == Reasoning::Mode::kBudget || request_.reasoning.mode == Reasoning::Mode::kAdaptive;
  }

  const ModelRequest& request_;
  const bool own_;  // what only Anthropic's format knows is written
  const std::string_view model_;
  Notes* const notes_;
  WrittenRequest written_;
  MessageWriter messages_;
  ObjectWriter body_;
  std::vector<std::string_view> keys_;  // that the body has
  absl::flat_hash_set<std::string> tool_names_;
};

absl::StatusOr<WrittenRequest> RequestWriter::Run() {
  AppendJsonString(model_, Key("model"));
  WriteMaxTokens();
  WriteSystem();
  if (const absl::Status status = messages_.WriteMessages(Key("messages")); !status.ok()) return status;
  WriteTools();
  WriteThinking();
  WriteSampling();
  WriteStop();
  WriteMetadata();
  WriteOutput();
  if (request_.stream) Key("stream")->append("true");
  WriteOthers();
  body_.End();
  return std::move(written_);
}

std::string* RequestWriter::Key(std::string_view name) {
  keys_.push_back(name);
  return body_.Key(name);
}

void RequestWriter::WriteMaxTokens() {
  uint64_t limit = request_.max_tokens.value_or(0);
  if (limit == 0) {
    AddNote(notes_, absl::StrCat("max_tokens: not given, set to ", kDefaultMaxTokens));
    limit = kDefaultMaxTokens;
  }
  const Reasoning& reasoning = request_.reasoning;
  const uint64_t budget = reasoning.mode == Reasoning::Mode::kBudget ? reasoning.budget.value_or(0) : 0;
  if (!own_ && budget > 0 && limit <= budget) {
    AddNote(notes_, "max_tokens: raised above the budget of thinking");
    limit = budget + std::min(limit, kDefaultMaxTokens);
  }
  Key("max_tokens")->append(std::to_string(limit));
}

void RequestWriter::WriteSystem() {
  const size_t before = written_.body.size();
  body_.Key("system")->append("[");
  ListWriter blocks(&written_.body);
  messages_.WriteSystem(&blocks);
  if (!own_ && request_.output.kind != OutputFormat::Kind::kText) {
    AddNote(notes_, "response_format: became an instruction in system");
    ContentWriter(own_, notes_).WriteText(Instruction(request_.output), nullptr, &blocks);
  }
  written_.body += ']';
  if (blocks.count() == 0) {
    written_.body.resize(before);
  } else {
    keys_.emplace_back("system");
  }
}

void RequestWriter::WriteTools() {
  const size_t before = written_.body.size();
  body_.Key("tools")->append("[");
  ListWriter tools(&written_.body);
  for (const Tool& tool : request_.tools) WriteTool(tool, &tools);
  const bool declare = tools.count() == 0 && !own_;
  if (declare) WriteCalledTools(&tools);
  written_.body += ']';
  if (tools.count() == 0) return written_.body.resize(before);
  keys_.emplace_back("tools");
  if (!declare) return WriteToolChoice();
  Key("tool_choice")->append(R"({"type":"none"})");
}

void RequestWriter::WriteTool(const Tool& tool, ListWriter* tools) {
  const bool search = tool.kind == Tool::Kind::kWebSearch;
  if (own_ && (search || tool.kind == Tool::Kind::kOther)) {
    tool_names_.insert(tool.name);
    ObjectWriter out(tools->Next());
    out.Members(tool.own);
    if (tool.cache_control.is_object()) out.Value("cache_control", tool.cache_control);
    if (tool.deferred) out.Bool("defer_loading", true);
    return out.End();
  }
  if (!search && (tool.kind == Tool::Kind::kOther || tool.name.empty())) {
    return AddNote(notes_, "tools: one that is no function was dropped");
  }
  const std::string name = search ? "web_search" : messages_.ToolName(tool.name);
  if (!search && name != tool.name) AddNote(notes_, "tools.name: changed to a valid one");
  if (!tool_names_.insert(name).second) {
    return AddNote(notes_, "tools: a second one of the same name was dropped");
  }
  if (search) {
    tools->Next()->append(R"({"type":"web_search_20250305","name":"web_search"})");
    return;
  }
  WriteFunction(tool, name, tools->Next());
}

void RequestWriter::WriteFunction(const Tool& tool, std::string_view name, std::string* out) {
  if (tool.strict) AddNote(notes_, "tools.strict: dropped");
  ObjectWriter function(out);
  function.Text("name", name);
  const bool custom = tool.kind == Tool::Kind::kCustom;
  const std::string description = custom ? CustomToolDescription(tool) : tool.description;
  if (!description.empty()) function.Text("description", description);
  WriteSchema(tool, function.Key("input_schema"));
  if (tool.cache_control.is_object()) function.Value("cache_control", tool.cache_control);
  if (tool.deferred && own_) function.Bool("defer_loading", true);
  if (own_) function.Members(tool.own);
  function.End();
}

void RequestWriter::WriteSchema(const Tool& tool, std::string* out) {
  if (tool.kind == Tool::Kind::kCustom) {
    out->append(kCustomToolSchema);
    return;
  }
  ObjectWriter schema(out);
  const json::object* given = tool.parameters.if_object();
  bool typed = false;
  if (given != nullptr) {
    for (const json::key_value_pair& member : *given) {
      const bool type = std::string_view(member.key().data(), member.key().size()) == "type";
      typed = typed || type;
      if (type) {
        schema.Text("type", "object");
      } else {
        schema.Member(member);
      }
    }
  }
  if (!typed) schema.Text("type", "object");
  schema.End();
}

// Anthropic refuses calls in the history of a request without tools.
void RequestWriter::WriteCalledTools(ListWriter* tools) {
  for (const std::string& called : messages_.called()) {
    const std::string name = messages_.ToolName(called);
    if (!tool_names_.insert(name).second) continue;
    AddNote(notes_, "tools: those of the history were declared, none may be called");
    ObjectWriter tool(tools->Next());
    tool.Text("name", name);
    tool.Key("input_schema")->append(R"({"type":"object"})");
    tool.End();
  }
}

void RequestWriter::WriteToolChoice() {
  const ToolChoice& choice = request_.tool_choice;
  std::string_view type;
  std::string name;
  switch (choice.kind) {
    case ToolChoice::Kind::kUnset:
      break;
    case ToolChoice::Kind::kAuto:
      type = "auto";
      break;
    case ToolChoice::Kind::kNone:
      type = "none";
      break;
    case ToolChoice::Kind::kAny:
      type = "any";
      break;
    case ToolChoice::Kind::kTool:
      name = messages_.ToolName(choice.name);
      if (tool_names_.contains(name)) type = "tool";
      if (type.empty()) AddNote(notes_, "tool_choice: dropped, it names none of the tools");
  }
  const bool one = choice.parallel && !*choice.parallel;
  if (type.empty() && one) type = "auto";
  if (type.empty()) return;
  ObjectWriter out(Key("tool_choice"));
  out.Text("type", type);
  if (type == "tool") out.Text("name", name);
  if (one && type != "none") out.Bool("disable_parallel_tool_use", true);
  out.End();
}

void RequestWriter::WriteThinking() {
  const Reasoning& reasoning = request_.reasoning;
  const json::object* rest = Own("thinking");
  if (reasoning.mode == Reasoning::Mode::kUnset) {
    // What is left of one that was taken away has no type.
    if (rest != nullptr && Find(*rest, "type") == nullptr) keys_.emplace_back("thinking");
    return;
  }
  const bool budget = reasoning.mode == Reasoning::Mode::kBudget;
  ObjectWriter thinking(Key("thinking"));
  thinking.Text("type", budget ? "enabled" : thinks() ? "adaptive" : "disabled");
  if (budget && reasoning.budget) thinking.Number("budget_tokens", *reasoning.budget);
  if (rest != nullptr && thinks() && Find(*rest, "type") == nullptr) {
    thinking.Members(*rest);
  } else if (thinks() && !budget && !own_ && reasoning.include_text) {
    thinking.Text("display", "summarized");  // the newer models omit it unless told
  }
  thinking.End();
}

void RequestWriter::WriteSampling() {
  const Sampling& sampling = request_.sampling;
  if (sampling.presence_penalty) AddNote(notes_, "presence_penalty: dropped");
  if (sampling.frequency_penalty) AddNote(notes_, "frequency_penalty: dropped");
  if (sampling.seed) AddNote(notes_, "seed: dropped");
  const std::optional<double>& temperature = sampling.temperature;
  const std::optional<double>& top_p = sampling.top_p;
  if (thinks() && !own_) {
    if (temperature || top_p) AddNote(notes_, "temperature, top_p: dropped, thinking is on");
    return;
  }
  const bool one = temperature && top_p && !own_ && TakesOneSampler(model_);
  if (one) AddNote(notes_, "temperature, top_p: one of them was dropped, the model takes one");
  const bool keep_top_p = top_p && (!one || *temperature == 1);
  if (temperature && !(one && keep_top_p)) WriteFraction("temperature", *temperature);
  if (keep_top_p) WriteFraction("top_p", *top_p);
  if (sampling.top_k && *sampling.top_k > 0) Key("top_k")->append(std::to_string(*sampling.top_k));
}

void RequestWriter::WriteFraction(std::string_view key, double given) {
  const double value = std::clamp(given, 0.0, 1.0);
  if (value != given) AddNote(notes_, absl::StrCat(ToAbsl(key), ": moved into 0..1"));
  AppendJson(json::value(value), Key(key));
}

void RequestWriter::WriteStop() {
  const auto blank = [](const std::string& text) { return IsBlank(text); };
  const auto blanks = static_cast<size_t>(std::count_if(request_.stop.begin(), request_.stop.end(), blank));
  if (blanks > 0) AddNote(notes_, "stop: blank ones were dropped");
  if (blanks == request_.stop.size()) return;
  ListWriter list(Key("stop_sequences"));
  written_.body += '[';
  for (const std::string& text : request_.stop) {
    if (!blank(text)) AppendJsonString(text, list.Next());
  }
  written_.body += ']';
}

void RequestWriter::WriteMetadata() {
  const json::object* rest = Own("metadata");
  if (request_.user.empty() && rest == nullptr) return;
  if (request_.user.size() > kMaxUserIdBytes) AddNote(notes_, "user: cut to 256 bytes");
  ObjectWriter metadata(Key("metadata"));
  if (!request_.user.empty()) metadata.Text("user_id", Utf8Prefix(request_.user, kMaxUserIdBytes));
  if (rest != nullptr) metadata.Members(*rest);
  metadata.End();
}

// The schema of Anthropic's own clients goes where it came from: an empty output_format marks that place.
void RequestWriter::WriteOutput() {
  const Reasoning& reasoning = request_.reasoning;
  const bool effort = !reasoning.effort.empty() && (own_ || reasoning.mode == Reasoning::Mode::kAdaptive);
  const json::object* rest = Own("output_config");
  const json::object* place = Own("output_format");
  const bool schema = own_ && request_.output.kind == OutputFormat::Kind::kJsonSchema;
  const bool outside = schema && place != nullptr && place->empty();
  const auto write_schema = [&](std::string* out) {
    ObjectWriter format(out);
    format.Text("type", "json_schema");
    if (!request_.output.name.empty()) format.Text("name", request_.output.name);
    format.Value("schema", request_.output.schema);
    format.End();
  };
  if (effort || rest != nullptr || (schema && !outside)) {
    ObjectWriter config(Key("output_config"));
    if (effort) config.Text("effort", reasoning.effort);
    if (schema && !outside) write_schema(config.Key("format"));
    if (rest != nullptr) config.Members(*rest);
    config.End();
  }
  if (outside) {
    write_schema(Key("output_format"));
  } else if (place != nullptr && place->empty()) {
    keys_.emplace_back("output_format");
  }
}

void RequestWriter::WriteOthers() {
  const auto is_written = [this](const json::key_value_pair& member) {
    const std::string_view key(member.key().data(), member.key().size());
    return std::find(keys_.begin(), keys_.end(), key) != keys_.end();
  };
  for (const json::key_value_pair& member : request_.own) {
    constexpr size_t kMaxKey = 40;
    if (!own_ && !member.value().is_null()) {
      AddNote(notes_, Utf8Prefix({member.key().data(), member.key().size()}, kMaxKey) + ": dropped");
    } else if (own_ && !is_written(member)) {
      body_.Member(member);
    }
  }
  for (const json::key_value_pair& member : request_.extra) {
    if (!is_written(member) && !(own_ && request_.own.contains(member.key()))) body_.Member(member);
  }
}

const json::object* RequestWriter::Own(std::string_view member) const {
  return own_ ? FindObject(request_.own, member) : nullptr;
}

}  // namespace

absl::StatusOr<WrittenRequest> WriteRequest(const ModelRequest& request, std::string_view model, Notes* notes) {
  return RequestWriter(request, model, notes).Run();
}

}  // namespace ccr::proxy::anthropic
