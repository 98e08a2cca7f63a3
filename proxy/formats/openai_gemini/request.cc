#include "proxy/formats/openai_gemini/request.h"

#include <algorithm>
#include <array>
#include <boost/json/monotonic_resource.hpp>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/json_util.h"
#include "proxy/formats/openai_gemini/gemini_contents.h"
#include "proxy/formats/openai_gemini/gemini_schema.h"
#include "proxy/formats/tool_names.h"

namespace ccr::proxy {
namespace {

constexpr size_t kMaxGeminiStops = 5;
constexpr uint64_t kMaxTopK = 64;

constexpr std::array<std::string_view, 18> kOpenAiFields = {"model",
                                                            "messages",
                                                            "stream",
                                                            "stream_options",
                                                            "max_tokens",
                                                            "max_completion_tokens",
                                                            "temperature",
                                                            "top_p",
                                                            "top_k",
                                                            "stop",
                                                            "seed",
                                                            "tools",
                                                            "functions",
                                                            "tool_choice",
                                                            "function_call",
                                                            "response_format",
                                                            "reasoning_effort",
                                                            "web_search_options"};

// How a model is told how much to think.
enum class ThinkingKind { kNone, kBudget, kLevel };

// By the version in its name: "gemini-2.5-pro". An alias such as "gemini-flash-latest" is of the newest.
ThinkingKind ThinkingOf(std::string_view model) {
  constexpr std::string_view kFamily = "gemini-";
  const size_t at = model.find(kFamily);
  if (at == model.npos || model.find("-tts") != model.npos || model.find("-image") != model.npos)
    return ThinkingKind::kNone;
  const std::string_view version = model.substr(at + kFamily.size());
  const auto digit = [&version](size_t i) {
    return i < version.size() && absl::ascii_isdigit(static_cast<unsigned char>(version[i]));
  };
  if (!digit(0)) return version.ends_with("-latest") ? ThinkingKind::kLevel : ThinkingKind::kNone;
  if (digit(1) || version[0] >= '3') return ThinkingKind::kLevel;
  return version.starts_with("2.5") ? ThinkingKind::kBudget : ThinkingKind::kNone;
}

bool IsPro(std::string_view model) {
  return model.find("-pro") != model.npos;
}

int BudgetOf(std::string_view effort, std::string_view model) {
  if (effort == "none") return IsPro(model) ? 128 : 0;
  if (effort == "minimal" || effort == "low") return 1024;
  return effort == "medium" ? 8192 : 24576;
}

std::string_view LevelOf(std::string_view effort, std::string_view model) {
  if (effort == "none" || effort == "minimal") return IsPro(model) ? "low" : "minimal";
  if (effort == "low") return "low";
  return effort == "medium" && model.find("gemini-3-pro") == model.npos ? "medium" : "high";
}

// The name of the function that a tool_choice or function_call forces; empty when it forces none.
std::string_view GivenForcedName(const json::object& choice) {
  const json::object* function = FindObject(choice, "function");
  return FindText(function == nullptr ? choice : *function, "name");
}

// One translation. Reads `source`, builds `target`.
class GeminiRequestBuilder {
 public:
  GeminiRequestBuilder(const json::object& source, std::string_view model, json::storage_ptr storage, Notes* notes)
      : source_(source),
        model_(model),
        storage_(std::move(storage)),
        notes_(notes),
        target_(storage_),
        functions_(storage_),
        config_(storage_) {}

  absl::StatusOr<TranslatedRequest> Run();

 private:
  absl::Status Messages();
  void Tools();
  void AddFunction(const json::object& function);
  void ToolChoice();
  void AllowedTools(const json::object& choice);
  void Call(std::string_view mode, json::array names);
  bool HasFunction(std::string_view name) const { return function_names_.contains(ToAbsl(name)); }
  std::string ForcedName(const json::object& choice);
  void Limits();
  void Number(std::string_view from, std::string_view to, double least, double most);
  void Stops();
  void Thinking();
  void ResponseFormat();
  void NoteDropped();

  const json::object& source_;
  const std::string_view model_;
  const json::storage_ptr storage_;
  Notes* const notes_;
  json::object target_;
  json::array functions_;
  absl::flat_hash_set<std::string> function_names_;
  json::object config_;
  ToolNames names_;
  SchemaBudget schema_budget_;
};

absl::StatusOr<TranslatedRequest> GeminiRequestBuilder::Run() {
  const absl::Status status = Messages();
  if (!status.ok()) return status;
  Tools();
  Limits();
  Stops();
  Thinking();
  ResponseFormat();
  if (schema_budget_.exhausted()) AddNote(notes_, "tools, response_format: schemas too large, cut");
  NoteDropped();
  if (!config_.empty()) target_["generationConfig"] = std::move(config_);
  TranslatedRequest request;
  request.stream = FindBool(source_, "stream");
  const json::object* options = FindObject(source_, "stream_options");
  request.stream_options.include_usage = options != nullptr && FindBool(*options, "include_usage");
  AppendJson(target_, &request.body);
  if (!names_.empty()) AddNote(notes_, "tools: names that Gemini does not take were changed");
  request.tool_names = std::move(names_);
  return request;
}

absl::Status GeminiRequestBuilder::Messages() {
  const json::array* messages = FindArray(source_, "messages");
  if (messages == nullptr || messages->empty()) {
    return absl::InvalidArgumentError("messages: at least one message is required");
  }
  GeminiContents contents(storage_, notes_, &names_);
  for (const json::value& message : *messages) {
    if (!message.is_object()) return absl::InvalidArgumentError("messages: each must be an object");
    const absl::Status status = contents.Add(message.get_object());
    if (!status.ok()) return status;
  }
  contents.Finish();
  if (ThinkingOf(model_) == ThinkingKind::kLevel) contents.SignForeignCalls();
  json::array system = contents.TakeSystem();
  if (!system.empty()) target_["systemInstruction"] = json::object({{"parts", std::move(system)}}, storage_);
  target_["contents"] = contents.TakeContents();
  return absl::OkStatus();
}

void GeminiRequestBuilder::Tools() {
  const json::array* tools = FindArray(source_, "tools");
  for (size_t i = 0; tools != nullptr && i < tools->size(); ++i) {
    const json::object* tool = (*tools)[i].if_object();
    const json::object* function = tool == nullptr ? nullptr : FindObject(*tool, "function");
    if (function == nullptr) {
      AddNote(notes_, "tools: one that is no function was dropped");
    } else {
      AddFunction(*function);
    }
  }
  const json::array* legacy = FindArray(source_, "functions");
  for (size_t i = 0; legacy != nullptr && i < legacy->size(); ++i) {
    if ((*legacy)[i].is_object()) AddFunction((*legacy)[i].get_object());
  }
  const bool search = Find(source_, "web_search_options") != nullptr;
  if (!functions_.empty()) {
    if (search) AddNote(notes_, "web_search_options: dropped, Gemini searches only without functions");
    ToolChoice();
    json::object tool({{"functionDeclarations", std::move(functions_)}}, storage_);
    target_["tools"] = json::array({std::move(tool)}, storage_);
  } else if (search) {
    json::object tool({{"googleSearch", json::object(storage_)}}, storage_);
    target_["tools"] = json::array({std::move(tool)}, storage_);
  }
}

void GeminiRequestBuilder::AddFunction(const json::object& function) {
  const std::string_view given = FindText(function, "name");
  const std::string name = GeminiToolName(given, &names_);
  if (given.empty() || HasFunction(name)) return AddNote(notes_, "tools: one without a name of its own was dropped");
  if (FindBool(function, "strict")) AddNote(notes_, "tools.strict: dropped");
  function_names_.insert(name);
  json::object declaration({{"name", name}}, storage_);
  const std::string_view description = FindText(function, "description");
  if (!description.empty()) declaration["description"] = description;
  if (const json::value* schema = Find(function, "parameters"); schema != nullptr) {
    json::object parameters = GeminiParameters(*schema, storage_, &schema_budget_);
    if (parameters.contains("properties")) declaration["parameters"] = std::move(parameters);
  }
  functions_.emplace_back(std::move(declaration));
}

std::string GeminiRequestBuilder::ForcedName(const json::object& choice) {
  const std::string_view given = GivenForcedName(choice);
  return given.empty() ? std::string() : GeminiToolName(given, &names_);
}

void GeminiRequestBuilder::ToolChoice() {
  const json::value* choice = Find(source_, "tool_choice");
  if (choice == nullptr) choice = Find(source_, "function_call");
  if (choice == nullptr) return;
  if (choice->is_string()) {
    const std::string_view word = View(choice->get_string());
    return Call(word == "none" ? "NONE" : word == "required" ? "ANY" : "AUTO", json::array(storage_));
  }
  if (!choice->is_object()) return;
  const json::object& object = choice->get_object();
  if (FindText(object, "type") == "allowed_tools") return AllowedTools(object);
  const std::string name = ForcedName(object);
  if (HasFunction(name)) return Call("ANY", json::array({name}, storage_));
  AddNote(notes_, "tool_choice: names no function, now auto");
  Call("AUTO", json::array(storage_));
}

void GeminiRequestBuilder::AllowedTools(const json::object& choice) {
  const json::object* allowed = FindObject(choice, "allowed_tools");
  if (allowed == nullptr) allowed = &choice;
  const bool required = FindText(*allowed, "mode") == "required";
  json::array names(storage_);
  const json::array* tools = FindArray(*allowed, "tools");
  for (size_t i = 0; required && tools != nullptr && i < tools->size(); ++i) {
    const json::object* tool = (*tools)[i].if_object();
    const std::string name = tool == nullptr ? std::string() : ForcedName(*tool);
    if (HasFunction(name)) names.emplace_back(name);
  }
  if (!required) AddNote(notes_, "tool_choice.allowed_tools: Gemini narrows only calls that are required");
  Call(required ? "ANY" : "AUTO", std::move(names));
}

void GeminiRequestBuilder::Call(std::string_view mode, json::array names) {
  json::object calling({{"mode", mode}}, storage_);
  if (!names.empty()) calling["allowedFunctionNames"] = std::move(names);
  target_["toolConfig"] = json::object({{"functionCallingConfig", std::move(calling)}}, storage_);
}

void GeminiRequestBuilder::Limits() {
  uint64_t most = FindUint(source_, "max_completion_tokens");
  if (most == 0) most = FindUint(source_, "max_tokens");
  constexpr uint64_t kMost = std::numeric_limits<int32_t>::max();
  if (most > 0) config_["maxOutputTokens"] = std::min(most, kMost);
  Number("temperature", "temperature", 0, 2);
  Number("top_p", "topP", 0, 1);
  if (const uint64_t top_k = FindUint(source_, "top_k"); top_k > 0) config_["topK"] = std::min(top_k, kMaxTopK);
  const json::value* seed = Find(source_, "seed");
  if (seed != nullptr && seed->is_int64() && seed->get_int64() == static_cast<int32_t>(seed->get_int64())) {
    config_["seed"] = *seed;
  }
}

void GeminiRequestBuilder::Number(std::string_view from, std::string_view to, double least, double most) {
  const json::value* value = Find(source_, from);
  if (value == nullptr || !value->is_number()) return;
  const auto number = value->to_number<double>();
  if (number >= least && number <= most) {
    config_[to] = *value;
  } else {
    AddNote(notes_, absl::StrCat(ToAbsl(from), ": brought within Gemini's range"));
    config_[to] = number < least ? least : most;
  }
}

void GeminiRequestBuilder::Stops() {
  json::array stops(storage_);
  const auto add = [&](const json::value& stop) {
    if (!stop.is_string() || stop.get_string().empty()) return;
    if (stops.size() < kMaxGeminiStops) {
      stops.push_back(stop);
    } else {
      AddNote(notes_, "stop: all behind the fifth dropped");
    }
  };
  const json::value* stop = Find(source_, "stop");
  if (stop != nullptr && stop->is_array()) {
    for (const json::value& one : stop->get_array()) add(one);
  } else if (stop != nullptr) {
    add(*stop);
  }
  if (!stops.empty()) config_["stopSequences"] = std::move(stops);
}

void GeminiRequestBuilder::Thinking() {
  const std::string_view effort = FindText(source_, "reasoning_effort");
  if (effort.empty()) return;
  const ThinkingKind kind = ThinkingOf(model_);
  if (kind == ThinkingKind::kNone) return AddNote(notes_, "reasoning_effort: dropped, this model does not think");
  json::object thinking({{"includeThoughts", effort != "none"}}, storage_);
  if (kind == ThinkingKind::kBudget) thinking["thinkingBudget"] = BudgetOf(effort, model_);
  if (kind == ThinkingKind::kLevel) thinking["thinkingLevel"] = LevelOf(effort, model_);
  config_["thinkingConfig"] = std::move(thinking);
}

void GeminiRequestBuilder::ResponseFormat() {
  const json::object* format = FindObject(source_, "response_format");
  const std::string_view type = format == nullptr ? std::string_view() : FindText(*format, "type");
  if (type != "json_object" && type != "json_schema") return;
  if (target_.contains("tools")) return AddNote(notes_, "response_format: dropped, Gemini takes it only without tools");
  config_["responseMimeType"] = "application/json";
  const json::object* wrapped = FindObject(*format, "json_schema");
  const json::value* schema = wrapped == nullptr ? nullptr : Find(*wrapped, "schema");
  if (schema != nullptr) config_["responseSchema"] = GeminiSchema(*schema, storage_, &schema_budget_);
}

void GeminiRequestBuilder::NoteDropped() {
  constexpr size_t kMaxField = 64;
  for (const json::key_value_pair& member : source_) {
    const std::string_view field(member.key().data(), member.key().size());
    if (std::find(kOpenAiFields.begin(), kOpenAiFields.end(), field) == kOpenAiFields.end()) {
      AddNote(notes_, absl::StrCat(ToAbsl(field.substr(0, kMaxField)), ": dropped"));
    }
  }
}

}  // namespace

absl::StatusOr<TranslatedRequest> OpenAiRequestToGemini(std::string_view body, std::string_view model, Notes* notes) {
  json::monotonic_resource memory(2 * body.size() + 1024);
  const absl::StatusOr<json::value> source = ParseJson(body, &memory);
  if (!source.ok()) return source.status();
  if (!source->is_object()) return absl::InvalidArgumentError("the body must be a JSON object");
  return GeminiRequestBuilder(source->get_object(), model, &memory, notes).Run();
}

}  // namespace ccr::proxy
