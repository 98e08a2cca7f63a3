#include "proxy/formats/conversation/limits.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace ccr::proxy::fit {
namespace {

template <typename T>
bool Clear(T* value) {
  T none{};
  if (*value == none) return false;
  *value = std::move(none);
  return true;
}

bool ClearEffort(ModelRequest* request) {
  Reasoning& reasoning = request->reasoning;
  const bool set = reasoning.mode != Reasoning::Mode::kUnset;
  reasoning.mode = Reasoning::Mode::kUnset;
  reasoning.budget.reset();
  return Clear(&reasoning.effort) || set;
}

bool ClearThinking(ModelRequest* request) {
  Reasoning& reasoning = request->reasoning;
  const bool set = reasoning.mode != Reasoning::Mode::kUnset;
  reasoning.mode = Reasoning::Mode::kUnset;
  reasoning.budget.reset();
  return set;
}

bool ClearReasoning(ModelRequest* request) {
  const bool effort = ClearEffort(request);
  const bool summary = Clear(&request->reasoning.summary);
  return Clear(&request->reasoning.include_text) || summary || effort;
}

bool ClearOutput(ModelRequest* request) {
  if (request->output.kind == OutputFormat::Kind::kText) return false;
  request->output.kind = OutputFormat::Kind::kText;
  return true;
}

bool ClearOutputConfig(ModelRequest* request) {
  const bool output = ClearOutput(request);
  return Clear(&request->reasoning.effort) || output;
}

bool ClearParallel(ModelRequest* request) {
  return Clear(&request->tool_choice.parallel);
}

bool ClearChoice(ModelRequest* request) {
  const bool name = Clear(&request->tool_choice.name);
  const bool allowed = Clear(&request->tool_choice.allowed);
  const bool set = request->tool_choice.kind != ToolChoice::Kind::kUnset;
  request->tool_choice.kind = ToolChoice::Kind::kUnset;
  return set || name || allowed;
}

// Anthropic's tool_choice says parallel too, Gemini's toolConfig nothing of it.
bool ClearWholeChoice(ModelRequest* request) {
  const bool parallel = ClearParallel(request);
  return ClearChoice(request) || parallel;
}

bool ClearTools(ModelRequest* request) {
  const bool choice = ClearWholeChoice(request);
  if (request->tools.empty()) return choice;
  request->tools.clear();
  return true;
}

bool ClearTemperature(ModelRequest* request) {
  return Clear(&request->sampling.temperature);
}
bool ClearTopP(ModelRequest* request) {
  return Clear(&request->sampling.top_p);
}
bool ClearTopK(ModelRequest* request) {
  return Clear(&request->sampling.top_k);
}
bool ClearSeed(ModelRequest* request) {
  return Clear(&request->sampling.seed);
}
bool ClearPresence(ModelRequest* request) {
  return Clear(&request->sampling.presence_penalty);
}
bool ClearFrequency(ModelRequest* request) {
  return Clear(&request->sampling.frequency_penalty);
}
bool ClearStop(ModelRequest* request) {
  return Clear(&request->stop);
}
bool ClearUser(ModelRequest* request) {
  return Clear(&request->user);
}
bool ClearCacheKey(ModelRequest* request) {
  return Clear(&request->cache_key);
}
bool ClearMaxTokens(ModelRequest* request) {
  return Clear(&request->max_tokens);
}

// Not what the client calls max_completion_tokens, which without that member of its own is written as max_tokens.
bool ClearChatMaxTokens(ModelRequest* request) {
  const bool other = request->origin == Format::kChat && request->own.contains("max_completion_tokens");
  return !other && ClearMaxTokens(request);
}

bool ClearUsage(ModelRequest* request) {
  return Clear(&request->include_usage);
}
bool ClearEncrypted(ModelRequest* request) {
  return Clear(&request->reasoning.include_encrypted);
}

bool ClearGeneration(ModelRequest* request) {
  bool set = false;
  for (const auto clear : {ClearTemperature, ClearTopP, ClearTopK, ClearSeed, ClearPresence, ClearFrequency, ClearStop,
                           ClearMaxTokens, ClearOutput, ClearReasoning})
    set |= clear(request);
  return set;
}

struct Member {
  std::string_view name;
  bool (*clear)(ModelRequest* request);
  // Another name of what every writer writes by its usual one: cleared only where the client chose this one.
  bool rare = false;
};

constexpr std::array<Member, 20> kChat = {{{"temperature", ClearTemperature},
                                           {"top_p", ClearTopP},
                                           {"top_k", ClearTopK},
                                           {"seed", ClearSeed},
                                           {"presence_penalty", ClearPresence},
                                           {"frequency_penalty", ClearFrequency},
                                           {"stop", ClearStop},
                                           {"user", ClearUser},
                                           {"safety_identifier", ClearUser, true},
                                           {"prompt_cache_key", ClearCacheKey},
                                           {"max_tokens", ClearChatMaxTokens},
                                           {"reasoning_effort", ClearEffort},
                                           {"reasoning", ClearEffort, true},
                                           {"response_format", ClearOutput},
                                           {"tools", ClearTools},
                                           {"functions", ClearTools, true},
                                           {"tool_choice", ClearChoice},
                                           {"function_call", ClearChoice, true},
                                           {"parallel_tool_calls", ClearParallel},
                                           {"stream_options", ClearUsage}}};

constexpr std::array<Member, 11> kAnthropic = {{{"temperature", ClearTemperature},
                                                {"top_p", ClearTopP},
                                                {"top_k", ClearTopK},
                                                {"stop_sequences", ClearStop},
                                                {"metadata", ClearUser},
                                                {"max_tokens", ClearMaxTokens},
                                                {"thinking", ClearThinking},
                                                {"output_config", ClearOutputConfig},
                                                {"output_format", ClearOutput},
                                                {"tools", ClearTools},
                                                {"tool_choice", ClearWholeChoice}}};

constexpr std::array<Member, 13> kResponses = {{{"temperature", ClearTemperature},
                                                {"top_p", ClearTopP},
                                                {"user", ClearUser},
                                                {"safety_identifier", ClearUser, true},
                                                {"prompt_cache_key", ClearCacheKey},
                                                {"max_output_tokens", ClearMaxTokens},
                                                {"reasoning", ClearReasoning},
                                                {"include", ClearEncrypted},
                                                {"text", ClearOutput},
                                                {"tools", ClearTools},
                                                {"tool_choice", ClearChoice},
                                                {"parallel_tool_calls", ClearParallel},
                                                {"stop", ClearStop}}};

constexpr std::array<Member, 15> kGemini = {{{"generationConfig", ClearGeneration},
                                             {"temperature", ClearTemperature},
                                             {"topP", ClearTopP},
                                             {"topK", ClearTopK},
                                             {"seed", ClearSeed},
                                             {"presencePenalty", ClearPresence},
                                             {"frequencyPenalty", ClearFrequency},
                                             {"stopSequences", ClearStop},
                                             {"maxOutputTokens", ClearMaxTokens},
                                             {"thinkingConfig", ClearReasoning},
                                             {"responseSchema", ClearOutput},
                                             {"responseJsonSchema", ClearOutput},
                                             {"responseMimeType", ClearOutput},
                                             {"tools", ClearTools},
                                             {"toolConfig", ClearWholeChoice}}};

template <size_t N>
bool ClearNamed(const std::array<Member, N>& members, std::string_view name, bool given, ModelRequest* request) {
  const auto member =
      std::find_if(members.begin(), members.end(), [name](const Member& known) { return known.name == name; });
  return member != members.end() && (given || !member->rare) && member->clear(request);
}

bool ClearMember(Format provider, std::string_view name, ModelRequest* request) {
  const bool given = request->origin == provider && request->own.contains(name);
  switch (provider) {
    case Format::kChat:
      return ClearNamed(kChat, name, given, request);
    case Format::kAnthropic:
      return ClearNamed(kAnthropic, name, given, request);
    case Format::kResponses:
      return ClearNamed(kResponses, name, given, request);
    case Format::kGemini:
      return ClearNamed(kGemini, name, given, request);
  }
  return false;
}

bool DropMark(json::value* mark) {
  if (mark->is_null()) return false;
  *mark = nullptr;
  return true;
}

bool DropMarks(std::vector<Part>* parts) {
  bool dropped = false;
  for (Part& part : *parts) {
    dropped |= DropMark(&part.cache_control);
    for (Part& inner : part.content) dropped |= DropMark(&inner.cache_control);
  }
  return dropped;
}

}  // namespace

bool FitLimits(const ProviderRules& rules, ModelRequest* request, Notes* notes) {
  bool changed = false;
  if (!rules.sampling) {
    const bool temperature = ClearTemperature(request);
    const bool top_p = ClearTopP(request);
    changed = ClearTopK(request) || temperature || top_p;
    if (changed) AddNote(notes, "temperature, top_p, top_k: dropped, the model takes none");
  }
  if (rules.max_output > 0 && request->max_tokens && *request->max_tokens > rules.max_output) {
    request->max_tokens = rules.max_output;
    changed = true;
    AddNote(notes, "max_tokens: lowered to " + std::to_string(rules.max_output));
  }
  return changed;
}

bool NameMaxTokens(const ProviderRules& rules, ModelRequest* request) {
  constexpr std::string_view kCompletion = "max_completion_tokens";
  using Name = ProviderRules::MaxTokens;
  if (rules.max_tokens == Name::kDefault || !request->max_tokens) return false;
  const bool had = request->origin == Format::kChat && request->own.stable_erase(kCompletion) > 0;
  if (rules.max_tokens == Name::kMaxTokens) return had;
  request->extra[kCompletion] = *request->max_tokens;
  request->max_tokens.reset();
  return !had;
}

bool DropCacheMarks(ModelRequest* request, Notes* notes) {
  bool dropped = false;
  for (Message& message : request->messages) {
    dropped |= DropMarks(&message.parts);
    dropped |= message.own.stable_erase("cache_control") > 0;
  }
  for (Tool& tool : request->tools) dropped |= DropMark(&tool.cache_control);
  dropped |= request->own.stable_erase("cache_control") > 0;
  if (dropped) AddNote(notes, "cache_control: dropped");
  return dropped;
}

bool DropMembers(const std::vector<std::string>& names, Format provider, ModelRequest* request, Notes* notes) {
  bool dropped = false;
  for (const std::string& name : names) {
    bool set = ClearMember(provider, name, request);
    set |= request->extra.stable_erase(name) > 0;
    if (request->origin == provider) set |= request->own.stable_erase(name) > 0;
    if (set) AddNote(notes, name + ": dropped");
    dropped |= set;
  }
  return dropped;
}

}  // namespace ccr::proxy::fit
