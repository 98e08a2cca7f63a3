#include "proxy/formats/anthropic_openai/request.h"

#include <algorithm>
#include <array>
#include <boost/json/monotonic_resource.hpp>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/anthropic_openai/messages.h"
#include "proxy/formats/json_util.h"
#include "proxy/formats/tool_names.h"

namespace ccr::proxy {
namespace {

constexpr size_t kMaxOpenAiStops = 4;
constexpr size_t kMaxUser = 64;
constexpr std::string_view kToolSearch = "tool_search";

constexpr std::array<std::string_view, 14> kAnthropicFields = {
    "model",  "messages", "system",   "max_tokens", "temperature",   "top_p",         "stop_sequences",
    "stream", "tools",    "thinking", "metadata",   "output_config", "output_format", "tool_choice"};

absl::Status Invalid(std::string_view field, const absl::Status& status) {
  return absl::InvalidArgumentError(
      absl::StrCat(absl::string_view(field.data(), field.size()), ": ", status.message()));
}

// One translation. Reads `source`, builds `target`.
class OpenAiRequestBuilder {
 public:
  OpenAiRequestBuilder(const json::object& source, const AnthropicToOpenAiOptions& options, json::storage_ptr storage,
                       Notes* notes)
      : source_(source), options_(options), storage_(std::move(storage)), notes_(notes), target_(storage_) {}

  // `body` is what `source` was read from.
  absl::StatusOr<TranslatedRequest> Run(std::string_view model, std::string_view body);

 private:
  absl::Status Messages();
  void Limits();
  void Stops();
  void User();
  void Reasoning();
  void ResponseFormat();
  void Tools();
  void ToolChoice();
  bool IsOffered(const json::object& tool) const;
  std::string ToolName(std::string_view name);
  json::object Function(const json::object& tool);
  bool HasTool(std::string_view name) const;
  void NoteDropped();

  const json::object& source_;
  const AnthropicToOpenAiOptions& options_;
  const json::storage_ptr storage_;
  Notes* const notes_;
  json::object target_;
  absl::flat_hash_set<std::string> loaded_tools_;
  bool searches_tools_ = false;  // with a server tool, which is dropped
  ToolNames names_;
};

absl::StatusOr<TranslatedRequest> OpenAiRequestBuilder::Run(std::string_view model, std::string_view body) {
  target_["model"] = model;
  const absl::Status status = Messages();
  if (!status.ok()) return status;
  Limits();
  Stops();
  User();
  Reasoning();
  ResponseFormat();
  Tools();
  NoteDropped();
  TranslatedRequest request;
  request.stream = FindBool(source_, "stream");
  if (request.stream) {
    target_["stream"] = true;
    request.stream_options.id_seed = std::hash<std::string_view>()(body);
    target_["stream_options"] = json::object({{"include_usage", true}}, storage_);
  }
  AppendJson(target_, &request.body);
  if (!names_.empty()) AddNote(notes_, "tools: names longer than 64 bytes shortened");
  request.tool_names = std::move(names_);
  return request;
}

absl::Status OpenAiRequestBuilder::Messages() {
  OpenAiConversation conversation(options_, storage_, notes_, &names_);
  if (const json::value* system = Find(source_, "system"); system != nullptr) {
    const absl::Status status = conversation.AddSystem(*system);
    if (!status.ok()) return Invalid("system", status);
  }
  const json::array* messages = FindArray(source_, "messages");
  if (messages == nullptr || messages->empty()) {
    return absl::InvalidArgumentError("messages: at least one message is required");
  }
  for (size_t i = 0; i < messages->size(); ++i) {
    const absl::Status status = conversation.AddMessage((*messages)[i]);
    if (!status.ok()) return Invalid("messages." + std::to_string(i), status);
  }
  target_["messages"] = conversation.Take();
  loaded_tools_ = conversation.loaded_tools();
  return absl::OkStatus();
}

void OpenAiRequestBuilder::Limits() {
  for (const std::string_view field : {"max_tokens", "temperature", "top_p"}) {
    const json::value* value = Find(source_, field);
    if (value != nullptr && value->is_number()) target_[field] = *value;
  }
  const json::value* top_k = Find(source_, "top_k");
  if (options_.for_gemini && top_k != nullptr) target_["top_k"] = *top_k;
}

void OpenAiRequestBuilder::Stops() {
  const json::array* sequences = FindArray(source_, "stop_sequences");
  if (sequences == nullptr || sequences->empty()) return;
  json::array stop(storage_);
  for (size_t i = 0; i < std::min(sequences->size(), kMaxOpenAiStops); ++i) stop.push_back((*sequences)[i]);
  if (sequences->size() > kMaxOpenAiStops) AddNote(notes_, "stop_sequences: all behind the fourth dropped");
  target_["stop"] = std::move(stop);
}

void OpenAiRequestBuilder::User() {
  const json::object* metadata = FindObject(source_, "metadata");
  const std::string_view user = metadata == nullptr ? std::string_view() : FindText(*metadata, "user_id");
  if (user.size() > kMaxUser) AddNote(notes_, "metadata.user_id: cut to 64 bytes");
  if (!user.empty()) target_["user"] = Utf8Prefix(user, kMaxUser);
}

void OpenAiRequestBuilder::Reasoning() {
  const json::object* output = FindObject(source_, "output_config");
  std::string_view effort = output == nullptr ? std::string_view() : FindText(*output, "effort");
  const json::object* thinking = FindObject(source_, "thinking");
  const std::string_view type = thinking == nullptr ? std::string_view() : FindText(*thinking, "type");
  if (effort == "xhigh" || effort == "max") {
    AddNote(notes_, "output_config.effort: lowered to high");
    effort = "high";
  } else if (effort.empty() && type == "adaptive") {
    effort = "medium";
  } else if (effort.empty() && type == "enabled") {
    const uint64_t budget = FindUint(*thinking, "budget_tokens");
    effort = budget <= 1024 ? "low" : budget <= 8192 ? "medium" : "high";
  }
  if (!effort.empty()) target_["reasoning_effort"] = effort;
}

void OpenAiRequestBuilder::ResponseFormat() {
  const json::object* output = FindObject(source_, "output_config");
  const json::object* format = output == nullptr ? nullptr : FindObject(*output, "format");
  if (format == nullptr) format = FindObject(source_, "output_format");
  const json::object* schema = format == nullptr ? nullptr : FindObject(*format, "schema");
  if (schema == nullptr) return;
  json::object wrapped({{"name", "response"}, {"schema", *schema}}, storage_);
  target_["response_format"] = json::object({{"type", "json_schema"}, {"json_schema", std::move(wrapped)}}, storage_);
}

void OpenAiRequestBuilder::Tools() {
  const json::array* tools = FindArray(source_, "tools");
  if (tools == nullptr) return;
  searches_tools_ = std::any_of(tools->begin(), tools->end(), [](const json::value& tool) {
    return tool.is_object() && FindText(tool.get_object(), "type").substr(0, kToolSearch.size()) == kToolSearch;
  });
  json::array functions(storage_);
  for (const json::value& tool : *tools) {
    if (!tool.is_object() || !IsOffered(tool.get_object())) continue;
    const std::string_view type = FindText(tool.get_object(), "type");
    if (type.starts_with("web_search") && options_.for_gemini) {
      target_["web_search_options"] = json::object(storage_);
    } else if (type.empty() || type == "custom") {
      functions.push_back(json::object({{"type", "function"}, {"function", Function(tool.get_object())}}, storage_));
    } else {
      AddNote(notes_, "tools: " + Utf8Prefix(type, kMaxUser) + " dropped");
    }
  }
  if (functions.empty()) return;
  target_["tools"] = std::move(functions);
  ToolChoice();
}

std::string OpenAiRequestBuilder::ToolName(std::string_view name) {
  return options_.for_gemini ? std::string(name) : ShortToolName(name, &names_);
}

bool OpenAiRequestBuilder::IsOffered(const json::object& tool) const {
  if (!FindBool(tool, "defer_loading") || searches_tools_) return true;
  if (loaded_tools_.contains(ToAbsl(FindText(tool, "name")))) return true;
  AddNote(notes_, "tools: a deferred one left out");
  return false;
}

json::object OpenAiRequestBuilder::Function(const json::object& tool) {
  json::object function({{"name", ToolName(FindText(tool, "name"))}}, storage_);
  if (const json::value* description = Find(tool, "description"); description != nullptr) {
    function["description"] = *description;
  }
  const json::object* schema = FindObject(tool, "input_schema");
  json::object parameters = schema == nullptr ? json::object(storage_) : json::object(*schema, storage_);
  parameters.emplace("type", "object");
  parameters.emplace("properties", json::object(storage_));
  function["parameters"] = std::move(parameters);
  if (FindBool(tool, "strict")) AddNote(notes_, "tools.strict: dropped");
  return function;
}

void OpenAiRequestBuilder::ToolChoice() {
  const json::object* choice = FindObject(source_, "tool_choice");
  if (choice == nullptr) return;
  const std::string_view type = FindText(*choice, "type");
  const std::string name = ToolName(FindText(*choice, "name"));
  if (type == "any") {
    target_["tool_choice"] = "required";
  } else if (type == "none") {
    target_["tool_choice"] = "none";
  } else if (type == "tool" && HasTool(name)) {
    json::object function({{"name", name}}, storage_);
    target_["tool_choice"] = json::object({{"type", "function"}, {"function", std::move(function)}}, storage_);
  } else {
    if (type == "tool") AddNote(notes_, "tool_choice: its tool was dropped, now auto");
    target_["tool_choice"] = "auto";
  }
  if (FindBool(*choice, "disable_parallel_tool_use")) target_["parallel_tool_calls"] = false;
}

bool OpenAiRequestBuilder::HasTool(std::string_view name) const {
  const json::array& tools = target_.at("tools").get_array();
  return std::any_of(tools.begin(), tools.end(), [name](const json::value& tool) {
    return FindText(*FindObject(tool.get_object(), "function"), "name") == name;
  });
}

void OpenAiRequestBuilder::NoteDropped() {
  for (const json::key_value_pair& member : source_) {
    const std::string_view field(member.key().data(), member.key().size());
    const bool known = std::find(kAnthropicFields.begin(), kAnthropicFields.end(), field) != kAnthropicFields.end();
    if (!known && !(field == "top_k" && options_.for_gemini)) {
      AddNote(notes_, Utf8Prefix(field, kMaxUser) + ": dropped");
    }
  }
}

}  // namespace

absl::StatusOr<TranslatedRequest> AnthropicRequestToOpenAi(std::string_view body, std::string_view model,
                                                           const AnthropicToOpenAiOptions& options, Notes* notes) {
  json::monotonic_resource memory(2 * body.size() + 1024);
  const absl::StatusOr<json::value> source = ParseJson(body, &memory);
  if (!source.ok()) return source.status();
  if (!source->is_object()) return absl::InvalidArgumentError("the body must be a JSON object");
  return OpenAiRequestBuilder(source->get_object(), options, &memory, notes).Run(model, body);
}

}  // namespace ccr::proxy
