#include "proxy/formats/openai_anthropic/request.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/json_util.h"
#include "proxy/formats/openai_anthropic/content.h"
#include "proxy/formats/openai_anthropic/conversation.h"
#include "proxy/formats/openai_message.h"

namespace ccr::proxy {
namespace {

constexpr int64_t kDefaultMaxTokens = 4096;
constexpr size_t kMaxUserIdBytes = 256;

// Members that are translated.
constexpr std::array<std::string_view, 18> kSentFields = {
    "model",       "messages",       "tools",      "functions",           "tool_choice",
    "temperature", "function_call",  "max_tokens", "parallel_tool_calls", "max_completion_tokens",
    "top_p",       "stop",           "user",       "reasoning_effort",    "response_format",
    "stream",      "stream_options", "n"};

std::optional<double> FindNumber(const json::object& object, std::string_view key) {
  const json::value* value = Find(object, key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->to_number<double>();
}

// 0 for no thinking.
int64_t ThinkingBudget(std::string_view effort) {
  if (effort == "minimal" || effort == "low") return 1024;
  if (effort == "medium") return 8192;
  if (effort == "high" || effort == "xhigh") return 24576;
  return 0;
}

// Claude after 3 refuses temperature and top_p together; models of others do not.
bool TakesOneSampler(std::string_view model) {
  const std::string name = absl::AsciiStrToLower(ToAbsl(model));
  return absl::StrContains(name, "claude") && !absl::StrContains(name, "claude-3");
}

class AnthropicRequestBuilder {
 public:
  AnthropicRequestBuilder(const json::object& in, std::string_view model, Notes* notes)
      : in_(in), model_(model), notes_(notes), conversation_(in.storage(), notes), out_(in.storage()) {}

  absl::Status Build();
  const json::object& out() const { return out_; }

 private:
  absl::Status ReadMessages();
  void AddMaxTokens();
  void AddConversation();
  void AddResponseFormat(json::array* system);
  void AddTools();
  void AddTool(const json::value& value, json::array* tools);
  void DeclareCalledTools(json::array* tools);
  void AddToolChoice();
  std::optional<json::object> ToolChoice(const json::value& choice);
  void AddThinking();
  void AddSampling();
  void AddFraction(std::string_view key, double given);
  void AddStop();
  void AddUser();
  void NoteDropped();
  bool Forced() const;

  const json::object& in_;
  const std::string_view model_;
  Notes* const notes_;
  Conversation conversation_;
  json::object out_;
  absl::flat_hash_set<std::string> tool_names_;
};

absl::Status AnthropicRequestBuilder::Build() {
  if (absl::Status status = ReadMessages(); !status.ok()) return status;
  out_["model"] = model_;
  AddMaxTokens();
  AddConversation();
  AddTools();
  AddToolChoice();
  AddThinking();
  AddSampling();
  AddStop();
  AddUser();
  if (FindBool(in_, "stream")) out_["stream"] = true;
  NoteDropped();
  return absl::OkStatus();
}

absl::Status AnthropicRequestBuilder::ReadMessages() {
  const json::array* messages = FindArray(in_, "messages");
  if (messages == nullptr || messages->empty()) {
    return absl::InvalidArgumentError("messages: must be an array of at least one message");
  }
  for (const json::value& message : *messages) {
    if (!message.is_object()) return absl::InvalidArgumentError("messages: each message must be an object");
    if (absl::Status status = conversation_.Add(message.get_object()); !status.ok()) return status;
  }
  conversation_.Finish();
  return absl::OkStatus();
}

void AnthropicRequestBuilder::AddMaxTokens() {
  int64_t limit = 0;
  for (const std::string_view key : {"max_completion_tokens", "max_tokens"}) {
    if (limit == 0) limit = static_cast<int64_t>(std::min<uint64_t>(FindUint(in_, key), INT64_MAX));
  }
  if (limit == 0) AddNote(notes_, absl::StrCat("max_tokens: not given, set to ", kDefaultMaxTokens));
  out_["max_tokens"] = limit == 0 ? kDefaultMaxTokens : limit;
}

void AnthropicRequestBuilder::AddConversation() {
  json::array system = conversation_.TakeSystem();
  AddResponseFormat(&system);
  if (!system.empty()) out_["system"] = std::move(system);
  out_["messages"] = conversation_.TakeMessages();
}

void AnthropicRequestBuilder::AddResponseFormat(json::array* system) {
  const json::object* format = FindObject(in_, "response_format");
  if (format == nullptr) return;
  const std::string_view type = FindText(*format, "type");
  std::string text = "Answer with one valid JSON object and nothing else: no explanation, no code fence.";
  if (type == "json_schema") {
    const json::object* named = FindObject(*format, "json_schema");
    const json::value* schema = named == nullptr ? nullptr : Find(*named, "schema");
    text = "Answer with one valid JSON value and nothing else: no explanation, no code fence.";
    if (schema != nullptr) absl::StrAppend(&text, " It must match this JSON schema:\n", ToJson(*schema));
  } else if (type != "json_object") {
    return;
  }
  AddNote(notes_, "response_format: became an instruction in system");
  AppendTextBlock(text, nullptr, system);
}

void AnthropicRequestBuilder::AddTools() {
  json::array tools(out_.storage());
  for (const std::string_view key : {"tools", "functions"}) {
    const json::array* given = FindArray(in_, key);
    if (given == nullptr) continue;
    for (const json::value& tool : *given) AddTool(tool, &tools);
  }
  const bool declare = tools.empty();
  if (declare) DeclareCalledTools(&tools);
  if (tools.empty()) return;
  out_["tools"] = std::move(tools);
  if (declare) out_["tool_choice"] = json::object({{"type", "none"}}, out_.storage());
}

void AnthropicRequestBuilder::AddTool(const json::value& value, json::array* tools) {
  const json::object* tool = value.if_object();
  const json::object* function = tool == nullptr ? nullptr : FindObject(*tool, "function");
  if (function == nullptr && tool != nullptr && Find(*tool, "type") == nullptr) function = tool;
  const std::string_view given_name = function == nullptr ? std::string_view() : FindText(*function, "name");
  if (given_name.empty()) return AddNote(notes_, "tools: one that is no function was dropped");
  const std::string name = ToolName(given_name);
  if (name != given_name) AddNote(notes_, "tools.name: changed to a valid one");
  if (!tool_names_.insert(name).second) return AddNote(notes_, "tools: a second one of the same name was dropped");
  if (Find(*function, "strict") != nullptr) AddNote(notes_, "tools.strict: dropped");
  json::object out({{"name", name}}, out_.storage());
  const std::string_view description = FindText(*function, "description");
  if (!description.empty()) out["description"] = description;
  json::object schema(out_.storage());
  if (const json::object* given = FindObject(*function, "parameters"); given != nullptr) schema = *given;
  if (FindText(schema, "type") != "object") schema["type"] = "object";
  out["input_schema"] = std::move(schema);
  CopyCacheControl(*tool, &out);
  tools->emplace_back(std::move(out));
}

void AnthropicRequestBuilder::DeclareCalledTools(json::array* tools) {
  for (const std::string& name : conversation_.called()) {
    AddNote(notes_, "tools: those of the history were declared, none may be called");
    json::object schema({{"type", "object"}}, out_.storage());
    tool_names_.insert(name);
    tools->emplace_back(json::object({{"name", name}, {"input_schema", std::move(schema)}}, out_.storage()));
  }
}

void AnthropicRequestBuilder::AddToolChoice() {
  if (!out_.contains("tools") || out_.contains("tool_choice")) return;
  const json::value* given = Find(in_, "tool_choice");
  if (given == nullptr) given = Find(in_, "function_call");
  std::optional<json::object> choice = given == nullptr ? std::nullopt : ToolChoice(*given);
  const json::value* parallel = Find(in_, "parallel_tool_calls");
  const bool one = parallel != nullptr && parallel->is_bool() && !parallel->get_bool();
  if (one && !choice) choice = json::object({{"type", "auto"}}, out_.storage());
  if (one && FindText(*choice, "type") != "none") (*choice)["disable_parallel_tool_use"] = true;
  if (choice) out_["tool_choice"] = std::move(*choice);
}

std::optional<json::object> AnthropicRequestBuilder::ToolChoice(const json::value& choice) {
  const json::object* object = choice.if_object();
  std::string_view mode = choice.is_string() ? View(choice.get_string()) : std::string_view();
  if (object != nullptr && FindText(*object, "type") == "allowed_tools") {
    const json::object* allowed = FindObject(*object, "allowed_tools");
    mode = FindText(allowed == nullptr ? *object : *allowed, "mode");
    AddNote(notes_, "tool_choice.allowed_tools: only its mode was kept");
  }
  if (mode == "required" || mode == "any") mode = "any";
  if (mode == "auto" || mode == "none" || mode == "any") return json::object({{"type", mode}}, out_.storage());
  const json::object* function = object == nullptr ? nullptr : FindObject(*object, "function");
  if (object != nullptr && function == nullptr) function = object;
  const std::string name = function == nullptr ? std::string() : ToolName(FindText(*function, "name"));
  if (tool_names_.contains(name)) {
    return json::object({{"type", "tool"}, {"name", name}}, out_.storage());
  }
  AddNote(notes_, "tool_choice: dropped, it names none of the tools");
  return std::nullopt;
}

bool AnthropicRequestBuilder::Forced() const {
  const json::object* choice = FindObject(out_, "tool_choice");
  const std::string_view type = choice == nullptr ? std::string_view() : FindText(*choice, "type");
  return type == "any" || type == "tool";
}

void AnthropicRequestBuilder::AddThinking() {
  const std::string_view effort = FindText(in_, "reasoning_effort");
  const int64_t budget = ThinkingBudget(effort);
  if (budget == 0 && !effort.empty() && effort != "none") AddNote(notes_, "reasoning_effort: dropped, it is unknown");
  if (budget == 0) return;
  if (Forced() || !conversation_.allows_thinking()) {
    return AddNote(notes_, "reasoning_effort: dropped, thinking is refused with a forced tool and inside a turn");
  }
  out_["thinking"] = json::object({{"type", "enabled"}, {"budget_tokens", budget}}, out_.storage());
  const int64_t limit = out_["max_tokens"].get_int64();
  const int64_t least = budget + std::min(limit, kDefaultMaxTokens);
  if (limit >= least) return;
  AddNote(notes_, "max_tokens: raised above the budget of thinking");
  out_["max_tokens"] = least;
}

void AnthropicRequestBuilder::AddSampling() {
  const std::optional<double> temperature = FindNumber(in_, "temperature");
  const std::optional<double> top_p = FindNumber(in_, "top_p");
  if (out_.contains("thinking")) {
    if (temperature || top_p) AddNote(notes_, "temperature, top_p: dropped, thinking is on");
    return;
  }
  const bool one = temperature && top_p && TakesOneSampler(model_);
  if (one) AddNote(notes_, "temperature, top_p: one of them was dropped, the model takes one");
  const bool keep_top_p = top_p && (!one || *temperature == 1);
  if (temperature && !(one && keep_top_p)) AddFraction("temperature", *temperature);
  if (keep_top_p) AddFraction("top_p", *top_p);
}

void AnthropicRequestBuilder::AddFraction(std::string_view key, double given) {
  const double value = std::clamp(given, 0.0, 1.0);
  if (value != given) AddNote(notes_, absl::StrCat(ToAbsl(key), ": moved into 0..1"));
  out_[key] = value;
}

void AnthropicRequestBuilder::AddStop() {
  const json::value* stop = Find(in_, "stop");
  if (stop == nullptr) return;
  json::array given(out_.storage());
  if (stop->is_array()) given = stop->get_array();
  if (stop->is_string()) given.push_back(*stop);
  json::array sequences(out_.storage());
  for (const json::value& text : given) {
    if (text.is_string() && !IsBlank(View(text.get_string()))) sequences.push_back(text);
  }
  if (sequences.empty() || sequences.size() < given.size()) AddNote(notes_, "stop: blank ones were dropped");
  if (!sequences.empty()) out_["stop_sequences"] = std::move(sequences);
}

void AnthropicRequestBuilder::AddUser() {
  const std::string_view user = FindText(in_, "user");
  if (user.empty()) return;
  if (user.size() > kMaxUserIdBytes) AddNote(notes_, "user: cut to 256 bytes");
  out_["metadata"] = json::object({{"user_id", Utf8Prefix(user, kMaxUserIdBytes)}}, out_.storage());
}

void AnthropicRequestBuilder::NoteDropped() {
  for (const json::key_value_pair& member : in_) {
    const std::string_view key(member.key().data(), member.key().size());
    if (member.value().is_null()) continue;
    if (std::find(kSentFields.begin(), kSentFields.end(), key) != kSentFields.end()) continue;
    AddNote(notes_, absl::StrCat(ToAbsl(Utf8Prefix(key, 40)), ": dropped"));
  }
  if (FindUint(in_, "n") > 1) AddNote(notes_, "n: dropped, there is one answer");
}

}  // namespace

absl::StatusOr<TranslatedRequest> OpenAiRequestToAnthropic(std::string_view body, std::string_view model,
                                                           Notes* notes) {
  json::monotonic_resource memory;
  absl::StatusOr<json::value> parsed = ParseJson(body, &memory);
  if (!parsed.ok()) return parsed.status();
  if (!parsed->is_object()) return absl::InvalidArgumentError("the body must be a JSON object");
  const json::object& in = parsed->get_object();
  AnthropicRequestBuilder builder(in, model, notes);
  if (absl::Status status = builder.Build(); !status.ok()) return status;
  TranslatedRequest request;
  request.body.reserve(body.size() + body.size() / 8);
  AppendJson(builder.out(), &request.body);
  request.stream = FindBool(in, "stream");
  const json::object* options = FindObject(in, "stream_options");
  request.stream_options.include_usage = options != nullptr && FindBool(*options, "include_usage");
  return request;
}

}  // namespace ccr::proxy
