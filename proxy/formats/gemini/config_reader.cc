#include "proxy/formats/gemini/config_reader.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/gemini/camel.h"
#include "proxy/formats/gemini/schema_reader.h"

namespace ccr::proxy::gemini {
namespace {

constexpr std::array<std::string_view, 3> kSearches = {"googleSearch", "googleSearchRetrieval", "enterpriseWebSearch"};
constexpr std::array<std::string_view, 4> kLevels = {"minimal", "low", "medium", "high"};

std::optional<double> TakeNumber(json::object* object, std::string_view name) {
  const json::value value = TakeMember(object, name);
  if (!value.is_number()) return std::nullopt;
  return value.to_number<double>();
}

std::optional<int64_t> TakeInt(json::object* object, std::string_view name) {
  const std::optional<double> number = TakeNumber(object, name);
  constexpr double kMost = 9007199254740991;
  if (!number || !(std::abs(*number) <= kMost)) return std::nullopt;
  return static_cast<int64_t>(*number);
}

std::string TakeWord(json::object* object, std::string_view name) {
  const json::value value = TakeMember(object, name);
  return value.is_string() ? absl::AsciiStrToLower(ToAbsl(View(value.get_string()))) : std::string();
}

void ReadFunction(json::value* value, ModelRequest* request, Notes* notes) {
  json::object* object = value->if_object();
  if (object != nullptr) CamelNames(object);
  if (object == nullptr || FindText(*object, "name").empty()) {
    return AddNote(notes, "tools: one without a name of its own was dropped");
  }
  Tool tool;
  tool.name = FindText(*object, "name");
  tool.description = FindText(*object, "description");
  TakeMember(object, "name");
  TakeMember(object, "description");
  if (json::value parameters = TakeMember(object, "parameters"); parameters.is_object()) {
    // Kept as it came: not all of it has a place in JSON Schema.
    (*object)["parameters"] = json::value(parameters, request->memory);
    ToJsonSchema(&parameters);
    Adopt(&tool.parameters, std::move(parameters));
  } else if (json::value* schema = Find(*object, "parametersJsonSchema"); schema != nullptr) {
    Adopt(&tool.parameters, std::move(*schema));
    *schema = nullptr;
  }
  if (!object->empty()) Adopt(&tool.own, std::move(*object));
  request->tools.push_back(std::move(tool));
}

void ReadTool(json::object* object, ModelRequest* request, Notes* notes) {
  CamelNames(object);
  for (json::key_value_pair& member : *object) {
    const std::string_view name(member.key().data(), member.key().size());
    if (name == "functionDeclarations") {
      json::array* functions = member.value().if_array();
      for (size_t i = 0; functions != nullptr && i < functions->size(); ++i) {
        ReadFunction(&(*functions)[i], request, notes);
      }
      continue;
    }
    Tool& tool = request->tools.emplace_back();
    tool.kind = std::find(kSearches.begin(), kSearches.end(), name) == kSearches.end() ? Tool::Kind::kOther
                                                                                       : Tool::Kind::kWebSearch;
    if (tool.kind == Tool::Kind::kWebSearch) tool.name = "web_search";
    json::object own(request->memory);
    own.emplace(name, std::move(member.value()));
    Adopt(&tool.own, std::move(own));
  }
}

std::vector<std::string> TakeTexts(json::object* object, std::string_view name) {
  std::vector<std::string> texts;
  const json::value list = TakeMember(object, name);
  for (size_t i = 0; list.is_array() && i < list.get_array().size(); ++i) {
    if (const json::string* text = list.get_array()[i].if_string(); text != nullptr) texts.emplace_back(View(*text));
  }
  return texts;
}

void ReadThinking(json::object* config, Reasoning* reasoning) {
  json::value value = TakeMember(config, "thinkingConfig");
  json::object* thinking = value.if_object();
  if (thinking == nullptr) return;
  CamelNames(thinking);
  reasoning->include_text = FindBool(*thinking, "includeThoughts");
  const std::string level = TakeWord(thinking, "thinkingLevel");
  if (std::find(kLevels.begin(), kLevels.end(), level) != kLevels.end()) reasoning->effort = level;
  const std::optional<int64_t> budget = TakeInt(thinking, "thinkingBudget");
  if (!budget) return;
  reasoning->mode = *budget == 0  ? Reasoning::Mode::kOff
                    : *budget > 0 ? Reasoning::Mode::kBudget
                                  : Reasoning::Mode::kAdaptive;
  if (*budget > 0) reasoning->budget = static_cast<uint64_t>(*budget);
}

void ReadOutput(json::object* config, ModelRequest* request) {
  OutputFormat& output = request->output;
  const std::string_view type = FindText(*config, "responseMimeType");
  const bool json_type = absl::EqualsIgnoreCase(ToAbsl(type), "application/json");
  if (json_type) output.kind = OutputFormat::Kind::kJson;
  if (json_type || type.empty() || type == "text/plain") TakeMember(config, "responseMimeType");
  if (json::value* schema = Find(*config, "responseSchema"); schema != nullptr && schema->is_object()) {
    json::value copy(*schema, request->memory);
    ToJsonSchema(&copy);
    Adopt(&output.schema, std::move(copy));
  } else if (json::value* whole = Find(*config, "responseJsonSchema"); whole != nullptr) {
    Adopt(&output.schema, std::move(*whole));
    *whole = nullptr;
  }
  if (json_type && !output.schema.is_null()) output.kind = OutputFormat::Kind::kJsonSchema;
}

}  // namespace

void ReadTools(json::value tools, ModelRequest* request, Notes* notes) {
  if (tools.is_object()) ReadTool(&tools.get_object(), request, notes);
  for (size_t i = 0; tools.is_array() && i < tools.get_array().size(); ++i) {
    if (json::object* tool = tools.get_array()[i].if_object(); tool != nullptr) ReadTool(tool, request, notes);
  }
}

void ReadToolConfig(json::value config, ModelRequest* request) {
  json::object* object = config.if_object();
  if (object == nullptr) return;
  CamelNames(object);
  json::object* calling = FindObject(*object, "functionCallingConfig");
  if (calling != nullptr) {
    CamelNames(calling);
    ToolChoice& choice = request->tool_choice;
    const std::string_view mode = FindText(*calling, "mode");
    const bool validated = absl::EqualsIgnoreCase(ToAbsl(mode), "validated");
    if (validated || absl::EqualsIgnoreCase(ToAbsl(mode), "auto")) choice.kind = ToolChoice::Kind::kAuto;
    if (absl::EqualsIgnoreCase(ToAbsl(mode), "any")) choice.kind = ToolChoice::Kind::kAny;
    if (absl::EqualsIgnoreCase(ToAbsl(mode), "none")) choice.kind = ToolChoice::Kind::kNone;
    if (!validated) TakeMember(calling, "mode");
    choice.allowed = TakeTexts(calling, "allowedFunctionNames");
    if (choice.kind == ToolChoice::Kind::kAny && choice.allowed.size() == 1) {
      choice.kind = ToolChoice::Kind::kTool;
      choice.name = std::move(choice.allowed[0]);
      choice.allowed.clear();
    }
    if (calling->empty()) TakeMember(object, "functionCallingConfig");
  }
  if (!object->empty()) request->own.emplace("toolConfig", std::move(config));
}

void ReadGenerationConfig(json::value value, ModelRequest* request) {
  json::object* config = value.if_object();
  if (config == nullptr) return;
  CamelNames(config);
  Sampling& sampling = request->sampling;
  sampling.temperature = TakeNumber(config, "temperature");
  sampling.top_p = TakeNumber(config, "topP");
  sampling.top_k = TakeInt(config, "topK");
  sampling.seed = TakeInt(config, "seed");
  sampling.presence_penalty = TakeNumber(config, "presencePenalty");
  sampling.frequency_penalty = TakeNumber(config, "frequencyPenalty");
  const std::optional<int64_t> most = TakeInt(config, "maxOutputTokens");
  if (most && *most > 0) request->max_tokens = static_cast<uint64_t>(*most);
  request->stop = TakeTexts(config, "stopSequences");
  ReadThinking(config, &request->reasoning);
  ReadOutput(config, request);
  if (!config->empty()) request->own.emplace("generationConfig", std::move(value));
}

}  // namespace ccr::proxy::gemini
