#include "proxy/formats/gemini/request_writer.h"

#include <algorithm>
#include <boost/json/monotonic_resource.hpp>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/conversation/custom_tool.h"
#include "proxy/formats/conversation/turns.h"
#include "proxy/formats/gemini/contents_writer.h"
#include "proxy/formats/gemini/object_text.h"
#include "proxy/formats/gemini/schema.h"
#include "proxy/formats/gemini/thinking.h"
#include "proxy/formats/tool_names.h"

namespace ccr::proxy::gemini {
namespace {

constexpr size_t kMaxStops = 5;
constexpr int64_t kMaxTopK = 64;
constexpr size_t kMaxField = 64;

std::string_view Name(const json::key_value_pair& member) {
  return {member.key().data(), member.key().size()};
}

// One request that is being written. What a client of Gemini's sent goes as it came; what others did is brought to what
// Gemini takes.
class RequestWriter {
 public:
  RequestWriter(const ModelRequest& request, std::string_view model, Notes* notes)
      : request_(request), model_(model), notes_(notes), own_client_(request.origin == Format::kGemini) {}

  absl::StatusOr<WrittenRequest> Run();

 private:
  absl::Status Contents(ObjectText* body);
  void Tools(ObjectText* body);
  std::string Functions();
  void Function(const Tool& tool, std::string* out);
  void Parameters(const Tool& tool, ObjectText* function);
  void Choice(ObjectText* body);
  void Allowed(ObjectText* calling);
  void Config(ObjectText* body);
  void Sampled(ObjectText* config);
  void Number(std::optional<double> value, std::string_view from, std::string_view to, double most, ObjectText* config);
  void Stops(ObjectText* config);
  void Thinking(ObjectText* config);
  void Output(ObjectText* config);
  void Rest(ObjectText* body);
  const json::object* Own(std::string_view member) const {
    return own_client_ ? FindObject(request_.own, member) : nullptr;
  }
  bool Has(std::string_view function) const { return functions_.contains(ToAbsl(function)); }

  const ModelRequest& request_;
  const std::string_view model_;
  Notes* const notes_;
  const bool own_client_;
  json::monotonic_resource memory_;
  absl::flat_hash_set<std::string> functions_;
  bool has_tools_ = false;
  ToolNames names_;
  SchemaBudget schema_budget_;
};

absl::StatusOr<WrittenRequest> RequestWriter::Run() {
  WrittenRequest written;
  ObjectText body(&written.body);
  if (absl::Status status = Contents(&body); !status.ok()) return status;
  Tools(&body);
  Config(&body);
  if (schema_budget_.exhausted()) AddNote(notes_, "tools, response_format: schemas too large, cut");
  Rest(&body);
  body.Close();
  if (!names_.empty()) AddNote(notes_, "tools: names that Gemini does not take were changed");
  written.tool_names = std::move(names_);
  return written;
}

absl::Status RequestWriter::Contents(ObjectText* body) {
  ContentsWriter contents(own_client_, notes_, &names_);
  for (const Message& message : request_.messages) {
    if (absl::Status status = contents.Add(message); !status.ok()) return status;
  }
  if (ThinkingOf(model_) == ThinkingKind::kLevel) contents.SignForeignCalls();
  contents.Write(body);
  return absl::OkStatus();
}

void RequestWriter::Tools(ObjectText* body) {
  std::string tools;
  const auto add = [&tools](std::string_view tool) { absl::StrAppend(&tools, tools.empty() ? "" : ",", ToAbsl(tool)); };
  if (const std::string functions = Functions(); !functions.empty()) {
    add(absl::StrCat("{\"functionDeclarations\":[", functions, "]}"));
  }
  for (const Tool& tool : request_.tools) {
    if (tool.kind != Tool::Kind::kWebSearch && tool.kind != Tool::Kind::kOther) continue;
    if (own_client_ && !tool.own.empty()) {
      std::string whole;
      AppendJson(tool.own, &whole);
      add(whole);
    } else if (tool.kind == Tool::Kind::kOther) {
      AddNote(notes_, "tools: one that is no function was dropped");
    } else if (!functions_.empty()) {
      AddNote(notes_, "web_search_options: dropped, Gemini searches only without functions");
    } else if (tools.empty()) {
      add("{\"googleSearch\":{}}");
    }
  }
  if (!functions_.empty() || Own("toolConfig") != nullptr) Choice(body);
  has_tools_ = !tools.empty();
  if (has_tools_) absl::StrAppend(body->Name("tools"), "[", tools, "]");
}

std::string RequestWriter::Functions() {
  std::string functions;
  for (const Tool& tool : request_.tools) {
    if (tool.kind == Tool::Kind::kFunction || tool.kind == Tool::Kind::kCustom) Function(tool, &functions);
  }
  return functions;
}

void RequestWriter::Function(const Tool& tool, std::string* out) {
  const std::string name = GeminiToolName(tool.name, &names_);
  if (tool.name.empty() || !functions_.insert(name).second) {
    return AddNote(notes_, "tools: one without a name of its own was dropped");
  }
  if (tool.strict.value_or(false)) AddNote(notes_, "tools.strict: dropped");
  if (!out->empty()) *out += ',';
  ObjectText function(out);
  function.Text("name", name);
  const bool custom = tool.kind == Tool::Kind::kCustom;
  const std::string description = custom ? CustomToolDescription(tool) : tool.description;
  if (!description.empty()) function.Text("description", description);
  Parameters(tool, &function);
  function.Close();
}

void RequestWriter::Parameters(const Tool& tool, ObjectText* function) {
  if (tool.kind == Tool::Kind::kCustom) {
    const absl::StatusOr<json::value> schema = ParseJson(kCustomToolSchema, &memory_);
    return function->Json("parameters", GeminiParameters(*schema, &memory_, &schema_budget_));
  }
  const bool own_schema = own_client_ && tool.own.contains("parametersJsonSchema");
  if (own_schema) function->Json("parametersJsonSchema", tool.parameters);
  if (own_client_) {
    for (const json::key_value_pair& member : tool.own) {
      if (Name(member) != "parametersJsonSchema") function->Member(member);
    }
  }
  if (own_schema || tool.parameters.is_null() || (own_client_ && tool.own.contains("parameters"))) return;
  const json::object parameters = GeminiParameters(tool.parameters, &memory_, &schema_budget_);
  if (parameters.contains("properties")) function->Json("parameters", parameters);
}

void RequestWriter::Choice(ObjectText* body) {
  const ToolChoice& choice = request_.tool_choice;
  const json::object* own = Own("toolConfig");
  if (choice.parallel) AddNote(notes_, "parallel_tool_calls: dropped");
  if (choice.kind == ToolChoice::Kind::kUnset && own == nullptr) return;
  ObjectText config(body->Name("toolConfig"));
  if (choice.kind != ToolChoice::Kind::kUnset) {
    ObjectText calling(config.Name("functionCallingConfig"));
    Allowed(&calling);
    calling.Close();
  }
  if (own != nullptr) {
    for (const json::key_value_pair& member : *own) {
      if (Name(member) != "functionCallingConfig") config.Member(member);
    }
  }
  config.Close();
}

// The mode, and what it is narrowed to.
void RequestWriter::Allowed(ObjectText* calling) {
  const ToolChoice& choice = request_.tool_choice;
  std::vector<std::string> names;
  std::string_view mode = "AUTO";
  if (choice.kind == ToolChoice::Kind::kNone) mode = "NONE";
  if (choice.kind == ToolChoice::Kind::kAny) mode = "ANY";
  if (choice.kind == ToolChoice::Kind::kTool && !choice.name.empty()) names.push_back(choice.name);
  if (choice.kind == ToolChoice::Kind::kAny) names = choice.allowed;
  const json::object* own = Own("toolConfig");
  own = own == nullptr ? nullptr : FindObject(*own, "functionCallingConfig");
  if (choice.kind == ToolChoice::Kind::kAuto && own != nullptr && Find(*own, "mode") != nullptr) {
    mode = FindText(*own, "mode");
    names = choice.allowed;
  }
  std::string list;
  for (const std::string& name : names) {
    const std::string known = GeminiToolName(name, &names_);
    if (!Has(known)) continue;
    if (!list.empty()) list += ',';
    AppendJsonString(known, &list);
  }
  if (choice.kind == ToolChoice::Kind::kTool) {
    if (list.empty()) AddNote(notes_, "tool_choice: names no function, now auto");
    mode = list.empty() ? "AUTO" : "ANY";
  }
  calling->Text("mode", mode);
  if (!list.empty()) absl::StrAppend(calling->Name("allowedFunctionNames"), "[", list, "]");
}

void RequestWriter::Config(ObjectText* body) {
  std::string text;
  ObjectText config(&text);
  Sampled(&config);
  Stops(&config);
  Thinking(&config);
  Output(&config);
  if (const json::object* own = Own("generationConfig"); own != nullptr) {
    for (const json::key_value_pair& member : *own) {
      if (!Name(member).starts_with("response") || Name(member) == "responseModalities" ||
          Name(member) == "responseLogprobs" ||
          (Name(member) == "responseMimeType" && request_.output.kind == OutputFormat::Kind::kText)) {
        config.Member(member);
      }
    }
  }
  config.Close();
  if (!config.empty()) body->Name("generationConfig")->append(text);
}

void RequestWriter::Sampled(ObjectText* config) {
  constexpr uint64_t kMost = std::numeric_limits<int32_t>::max();
  const Sampling& sampling = request_.sampling;
  const uint64_t most = request_.max_tokens.value_or(0);
  if (most > 0) config->Count("maxOutputTokens", std::min(most, kMost));
  Number(sampling.temperature, "temperature", "temperature", 2, config);
  Number(sampling.top_p, "top_p", "topP", 1, config);
  const int64_t top_k = sampling.top_k.value_or(0);
  if (top_k > 0) config->Json("topK", own_client_ ? top_k : std::min(top_k, kMaxTopK));
  if (sampling.seed && *sampling.seed == static_cast<int32_t>(*sampling.seed)) config->Json("seed", *sampling.seed);
  for (const auto& [value, from, to] :
       {std::tuple(sampling.presence_penalty, "presence_penalty", "presencePenalty"),
        std::tuple(sampling.frequency_penalty, "frequency_penalty", "frequencyPenalty")}) {
    if (!value) continue;
    if (own_client_) {
      config->Json(to, *value);
    } else {
      AddNote(notes_, absl::StrCat(from, ": dropped"));  // most models refuse them
    }
  }
}

void RequestWriter::Number(std::optional<double> value, std::string_view from, std::string_view to, double most,
                           ObjectText* config) {
  if (!value) return;
  const double number = own_client_ ? *value : std::clamp(*value, 0.0, most);
  if (number != *value) AddNote(notes_, absl::StrCat(ToAbsl(from), ": brought within Gemini's range"));
  config->Json(to, number);
}

void RequestWriter::Stops(ObjectText* config) {
  std::string stops;
  size_t count = 0;
  for (const std::string& stop : request_.stop) {
    if (stop.empty()) continue;
    if (++count > kMaxStops && !own_client_) {
      AddNote(notes_, "stop: all behind the fifth dropped");
      break;
    }
    if (!stops.empty()) stops += ',';
    AppendJsonString(stop, &stops);
  }
  if (!stops.empty()) absl::StrAppend(config->Name("stopSequences"), "[", stops, "]");
}

void RequestWriter::Thinking(ObjectText* config) {
  const Reasoning& reasoning = request_.reasoning;
  const bool asked = reasoning.mode != Reasoning::Mode::kUnset || !reasoning.effort.empty();
  if (asked && !own_client_ && ThinkingOf(model_) == ThinkingKind::kNone) {
    return AddNote(notes_, "reasoning_effort: dropped, this model does not think");
  }
  const std::string thinking = ThinkingConfig(reasoning, model_, own_client_);
  if (!thinking.empty()) config->Name("thinkingConfig")->append(thinking);
}

void RequestWriter::Output(ObjectText* config) {
  const OutputFormat& output = request_.output;
  if (output.kind == OutputFormat::Kind::kText) return;
  if (has_tools_ && !own_client_)
    return AddNote(notes_, "response_format: dropped, Gemini takes it only without tools");
  config->Text("responseMimeType", "application/json");
  if (output.kind != OutputFormat::Kind::kJsonSchema || output.schema.is_null()) return;
  const json::object* own = Own("generationConfig");
  const json::value* schema = own == nullptr ? nullptr : Find(*own, "responseSchema");
  if (schema != nullptr) return config->Json("responseSchema", *schema);
  if (own != nullptr && own->contains("responseJsonSchema")) return config->Json("responseJsonSchema", output.schema);
  config->Json("responseSchema", GeminiSchema(output.schema, &memory_, &schema_budget_));
}

// Members that only Gemini's clients know, and those that Fit() adds.
void RequestWriter::Rest(ObjectText* body) {
  for (const json::key_value_pair& member : request_.own) {
    if (!own_client_) {
      AddNote(notes_, absl::StrCat(ToAbsl(Name(member).substr(0, kMaxField)), ": dropped"));
    } else if (Name(member) != "toolConfig" && Name(member) != "generationConfig") {
      body->Member(member);
    }
  }
  if (!request_.user.empty()) AddNote(notes_, "user: dropped");
  if (!request_.cache_key.empty()) AddNote(notes_, "prompt_cache_key: dropped");
  for (const json::key_value_pair& member : request_.extra) {
    static constexpr std::string_view kWritten[] = {"contents", "systemInstruction", "tools", "toolConfig",
                                                    "generationConfig"};
    const bool written = std::find(std::begin(kWritten), std::end(kWritten), Name(member)) != std::end(kWritten) ||
                         (own_client_ && request_.own.contains(member.key()));
    if (!written) body->Member(member);
  }
}

}  // namespace

absl::StatusOr<WrittenRequest> WriteRequest(const ModelRequest& request, std::string_view model, Notes* notes) {
  return RequestWriter(request, model, notes).Run();
}

bool MustSign(const ModelRequest& request, std::string_view model) {
  if (ThinkingOf(model) != ThinkingKind::kLevel) return false;
  const std::vector<Message>& messages = request.messages;
  return std::any_of(messages.begin() + static_cast<std::ptrdiff_t>(fit::TurnUnderWay(messages)), messages.end(),
                     [](const Message& message) {
                       const auto call = std::find_if(message.parts.begin(), message.parts.end(), [](const Part& part) {
                         return part.kind == PartKind::kToolCall;
                       });
                       return message.role == Role::kAssistant && call != message.parts.end() &&
                              FindState(call->state, StateKind::kGeminiSignature) == nullptr;
                     });
}

}  // namespace ccr::proxy::gemini
