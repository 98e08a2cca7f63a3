#include "proxy/formats/conversation/reasoning.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "proxy/formats/conversation/history.h"

namespace ccr::proxy::fit {
namespace {

using Forced = ProviderRules::Forced;
using Mode = Reasoning::Mode;
using Thinking = ProviderRules::Thinking;

constexpr std::string_view kNone = "none";
constexpr std::array<std::string_view, 6> kScale = {"minimal", "low", "medium", "high", "xhigh", "max"};
constexpr size_t kHigh = 3;
constexpr uint64_t kLowBudget = 1024;  // Anthropic's least
constexpr uint64_t kMediumBudget = 8192;
constexpr uint64_t kHighBudget = 24576;
constexpr uint64_t kMaxBudget = 1'000'000;
constexpr uint64_t kUsualOutput = 4096;
constexpr uint64_t kThinkingOutput = 32000;  // thinking without a budget and an answer

std::optional<size_t> RankOf(std::string_view effort) {
  const auto found = std::find(kScale.begin(), kScale.end(), effort);
  if (found == kScale.end()) return std::nullopt;
  return static_cast<size_t>(found - kScale.begin());
}

bool Contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool IsOff(const Reasoning& reasoning) {
  return reasoning.mode == Mode::kOff || reasoning.effort == kNone;
}

bool IsOn(const Reasoning& reasoning) {
  if (IsOff(reasoning)) return false;
  return reasoning.mode != Mode::kUnset || !reasoning.effort.empty();
}

bool IsForced(const ToolChoice& choice) {
  return choice.kind == ToolChoice::Kind::kAny || choice.kind == ToolChoice::Kind::kTool;
}

std::string_view EffortOfBudget(uint64_t budget) {
  if (budget <= kLowBudget) return "low";
  return budget <= kMediumBudget ? "medium" : "high";
}

// What the client asks for in words, once thinking is on.
std::string EffortOf(const Reasoning& reasoning) {
  if (!reasoning.effort.empty()) return reasoning.effort;
  if (reasoning.mode == Mode::kAdaptive) return "medium";
  return std::string(EffortOfBudget(reasoning.budget.value_or(0)));
}

// 0 for an effort that is none.
uint64_t BudgetOfEffort(std::string_view effort) {
  const std::optional<size_t> rank = RankOf(effort);
  if (!rank) return 0;
  if (*rank < 2) return kLowBudget;
  return *rank == 2 ? kMediumBudget : kHighBudget;
}

void SayNothing(Reasoning* reasoning) {
  reasoning->mode = Mode::kUnset;
  reasoning->budget.reset();
  reasoning->effort.clear();
}

void TurnOff(Reasoning* reasoning) {
  SayNothing(reasoning);
  reasoning->mode = Mode::kOff;
}

// OpenAI's efforts for those of formats that know stronger ones.
std::string OpenAiEffort(const ProviderRules& rules, std::string effort, bool foreign, Notes* notes) {
  const std::optional<size_t> rank = RankOf(effort);
  if (rules.efforts.empty()) {
    if (!foreign || !rank || *rank <= kHigh) return effort;
    AddNote(notes, "output_config.effort: lowered to high");
    return "high";
  }
  std::string nearest = NearestEffort(rules.efforts, effort);
  if (nearest != effort) AddNote(notes, "reasoning_effort: changed to the nearest that the model takes");
  return nearest;
}

bool HasOwnSwitch(const ProviderRules& rules) {
  return rules.thinking == Thinking::kObject || rules.thinking == Thinking::kEnable;
}

// Whether the provider can be told not to think. Who is never asked to think may always do it; of the models with
// adaptive thinking some always do and refuse to be told.
bool CanTurnOff(const ProviderRules& rules, Format provider) {
  if (rules.thinking == Thinking::kNone) return false;
  if (provider == Format::kAnthropic) return rules.thinking != Thinking::kAdaptive;
  if (provider == Format::kGemini) return true;
  return HasOwnSwitch(rules) || Contains(rules.efforts, kNone);
}

void FreeChoice(ModelRequest* request, Notes* notes) {
  request->tool_choice.kind = ToolChoice::Kind::kAuto;
  request->tool_choice.name.clear();
  AddNote(notes, "tool_choice: now auto, the model takes no forced tool while it thinks");
}

// A forced choice and thinking: one of the two gives way. Thinking that nobody asked for may be the provider's default.
bool FitForced(const ProviderRules& rules, Format provider, ModelRequest* request, Notes* notes) {
  if (rules.forced == Forced::kKeep || !IsForced(request->tool_choice)) return false;
  if (IsOff(request->reasoning) && CanTurnOff(rules, provider)) return false;
  if (rules.forced == Forced::kThinkingOff && CanTurnOff(rules, provider)) {
    TurnOff(&request->reasoning);
    AddNote(notes, "thinking: turned off, the model takes no forced tool with it");
    return true;
  }
  FreeChoice(request, notes);
  return true;
}

void SetSwitch(const ProviderRules& rules, bool on, std::optional<uint64_t> budget, ModelRequest* request) {
  if (rules.thinking == Thinking::kObject) {
    request->extra["thinking"] = json::object({{"type", on ? "enabled" : "disabled"}}, request->memory);
  } else {
    request->extra["enable_thinking"] = on;
    if (on && budget) request->extra["thinking_budget"] = *budget;
  }
}

// Chat Completions and Responses: an effort, and what a provider has of its own.
void AskInWords(const ProviderRules& rules, bool foreign, ModelRequest* request, Notes* notes) {
  const Reasoning asked = request->reasoning;
  Reasoning& said = request->reasoning;
  SayNothing(&said);
  if (rules.thinking == Thinking::kNone) {
    if (IsOn(asked)) AddNote(notes, "reasoning_effort: dropped, the model does not think");
    said.summary.clear();
    said.include_text = said.include_encrypted = false;
  } else if (IsOff(asked)) {
    if (HasOwnSwitch(rules)) {
      SetSwitch(rules, false, {}, request);
    } else if (Contains(rules.efforts, kNone)) {
      said.effort = kNone;
    }
  } else if (IsOn(asked)) {
    if (HasOwnSwitch(rules)) SetSwitch(rules, true, asked.mode == Mode::kBudget ? asked.budget : std::nullopt, request);
    if (!HasOwnSwitch(rules) || !rules.efforts.empty())
      said.effort = OpenAiEffort(rules, EffortOf(asked), foreign, notes);
  }
}

void AskAdaptive(const ProviderRules& rules, Reasoning* reasoning, Notes* notes) {
  if (reasoning->effort.empty() && reasoning->mode == Mode::kBudget)
    reasoning->effort = EffortOfBudget(reasoning->budget.value_or(0));
  if (reasoning->effort == "minimal") reasoning->effort = "low";
  const std::string nearest = NearestEffort(rules.efforts, reasoning->effort);
  if (nearest != reasoning->effort) AddNote(notes, "effort: changed to the nearest that the model takes");
  reasoning->effort = nearest;
  reasoning->mode = Mode::kAdaptive;
  reasoning->budget.reset();
}

// A budget, and room for it and an answer in max_tokens.
void AskBudget(const ProviderRules& rules, ModelRequest* request, Notes* notes) {
  Reasoning& reasoning = request->reasoning;
  uint64_t budget = reasoning.mode == Mode::kBudget && reasoning.budget ? std::min(*reasoning.budget, kMaxBudget)
                                                                        : BudgetOfEffort(EffortOf(reasoning));
  if (budget == 0) {
    AddNote(notes, "reasoning_effort: dropped, it is unknown");
    return SayNothing(&reasoning);
  }
  budget = std::max(budget, kLowBudget);
  const uint64_t limit = request->max_tokens.value_or(kUsualOutput);
  uint64_t room = std::max(limit, budget + std::min(limit, kUsualOutput));
  if (rules.max_output > 0 && room > rules.max_output) {
    room = rules.max_output;
    budget = std::min(budget, room - std::min(room, kUsualOutput));
  }
  if (budget < kLowBudget || budget >= room) {
    AddNote(notes, "thinking: dropped, max_tokens has no room for it");
    return SayNothing(&reasoning);
  }
  if (room > limit) AddNote(notes, "max_tokens: raised above the budget of thinking");
  request->max_tokens = room;
  SayNothing(&reasoning);
  reasoning.mode = Mode::kBudget;
  reasoning.budget = budget;
}

// Off is the default of Claude with a budget, and not of all others; of later ones some refuse to hear it.
void AskNoThinking(const ProviderRules& rules, Reasoning* reasoning) {
  if (rules.thinking == Thinking::kDefault || rules.thinking == Thinking::kEffort || HasOwnSwitch(rules)) {
    TurnOff(reasoning);
  } else {
    SayNothing(reasoning);
  }
}

// The bound where the client names none. Models with adaptive thinking may think unasked, and out of max_tokens.
uint64_t UsualOutput(const ProviderRules& rules) {
  if (rules.thinking != Thinking::kAdaptive) return kUsualOutput;
  return rules.max_output > 0 ? rules.max_output : kThinkingOutput;
}

void AskAnthropic(const ProviderRules& rules, ModelRequest* request, Notes* notes) {
  Reasoning& reasoning = request->reasoning;
  if (!request->max_tokens) {
    request->max_tokens = UsualOutput(rules);
    AddNote(notes, "max_tokens: not given, set to " + std::to_string(*request->max_tokens));
  }
  if (!IsOn(reasoning)) {
    if (IsOff(reasoning)) AskNoThinking(rules, &reasoning);
    return;
  }
  if (rules.thinking == Thinking::kNone) {
    AddNote(notes, "reasoning_effort: dropped, the model does not think");
    return SayNothing(&reasoning);
  }
  const bool adaptive = rules.thinking == Thinking::kAdaptive;
  const bool allowed = adaptive ? !EndsWithAssistant(request->messages) : AllowsThinking(request->messages);
  const bool forced = IsForced(request->tool_choice);
  if (!allowed || (forced && !adaptive)) {
    AddNote(notes, "reasoning_effort: dropped, thinking is refused with a forced tool and inside a turn");
    return AskNoThinking(rules, &reasoning);
  }
  if (forced) FreeChoice(request, notes);
  if (adaptive) {
    AskAdaptive(rules, &reasoning, notes);
  } else {
    AskBudget(rules, request, notes);
  }
}

void AskGemini(const ProviderRules& rules, Reasoning* reasoning, Notes* notes) {
  if (IsOff(*reasoning)) return TurnOff(reasoning);
  if (!IsOn(*reasoning)) return;
  if (rules.thinking == Thinking::kNone) {
    AddNote(notes, "reasoning_effort: dropped, the model does not think");
    return SayNothing(reasoning);
  }
  reasoning->effort = NearestEffort(rules.efforts, EffortOf(*reasoning));
}

bool Takes(const ProviderRules& rules, std::string_view effort) {
  return effort.empty() || rules.efforts.empty() || Contains(rules.efforts, effort);
}

// Members of Chat Completions' own that turn thinking on and off: the client's wording stays.
bool HasSwitch(const ProviderRules& rules, const json::object& own) {
  return own.contains(rules.thinking == Thinking::kObject ? "thinking" : "enable_thinking");
}

// What the client says by effort, in the words of the provider.
bool FitChatEffort(const ProviderRules& rules, bool turned_off, ModelRequest* request, Notes* notes) {
  Reasoning& reasoning = request->reasoning;
  const std::string before = reasoning.effort;
  const bool switches = HasOwnSwitch(rules);
  const bool settled = rules.thinking == Thinking::kNone || switches ? before.empty() : Takes(rules, before);
  if (settled && !turned_off) return false;
  const size_t members = request->extra.size();
  if (switches && !turned_off && HasSwitch(rules, request->own)) {
    reasoning.effort = rules.efforts.empty() ? std::string() : NearestEffort(rules.efforts, before);
  } else {
    AskInWords(rules, false, request, notes);
  }
  return turned_off || request->extra.size() != members || reasoning.effort != before;
}

bool FitResponsesEffort(const ProviderRules& rules, ModelRequest* request, Notes* notes) {
  const Reasoning before = request->reasoning;
  const bool asks = IsOn(before) || IsOff(before) || !before.summary.empty() || before.include_encrypted;
  const bool takes = IsOff(before) ? Takes(rules, kNone) : Takes(rules, before.effort);
  if (rules.thinking == Thinking::kNone ? !asks : takes) return false;
  AskInWords(rules, false, request, notes);
  return true;
}

// Whether thinking is asked for in a way that the model does not know.
bool IsOutdated(const ProviderRules& rules, Mode mode) {
  switch (rules.thinking) {
    case Thinking::kNone:
      return mode == Mode::kAdaptive || mode == Mode::kBudget;
    case Thinking::kBudget:
      return mode == Mode::kAdaptive;
    case Thinking::kAdaptive:
      return mode == Mode::kBudget;
    default:
      return false;
  }
}

bool FitNamedEffort(const ProviderRules& rules, Reasoning* reasoning, Notes* notes) {
  if (reasoning->mode == Mode::kOff || Takes(rules, reasoning->effort)) return false;
  reasoning->effort = NearestEffort(rules.efforts, reasoning->effort);
  AddNote(notes, "effort: changed to the nearest that the model takes");
  return true;
}

bool FitAnthropicThinking(const ProviderRules& rules, ModelRequest* request, Notes* notes) {
  if (!IsOutdated(rules, request->reasoning.mode)) return FitNamedEffort(rules, &request->reasoning, notes);
  AskAnthropic(rules, request, notes);
  return true;
}

}  // namespace

std::string NearestEffort(const std::vector<std::string>& efforts, std::string_view effort) {
  if (efforts.empty() || effort.empty() || Contains(efforts, effort)) return std::string(effort);
  const std::optional<size_t> wanted = RankOf(effort);
  std::string_view nearest;
  size_t least = kScale.size();
  for (const std::string& taken : efforts) {
    const std::optional<size_t> rank = RankOf(taken);
    if (!wanted || !rank) continue;
    const size_t distance = *rank > *wanted ? *rank - *wanted : *wanted - *rank;
    if (distance > least || (distance == least && *rank < *wanted)) continue;
    least = distance;
    nearest = taken;
  }
  return std::string(nearest);
}

void FitReasoning(const ProviderRules& rules, Format provider, ModelRequest* request, Notes* notes) {
  FitForced(rules, provider, request, notes);
  if (provider == Format::kAnthropic) return AskAnthropic(rules, request, notes);
  if (provider == Format::kGemini) return AskGemini(rules, &request->reasoning, notes);
  const bool foreign = request->origin == Format::kAnthropic || request->origin == Format::kGemini;
  AskInWords(rules, foreign, request, notes);
}

bool FitSameReasoning(const ProviderRules& rules, ModelRequest* request, Notes* notes) {
  const Format format = request->origin;
  const bool forced = FitForced(rules, format, request, notes);
  const bool turned_off = forced && IsOff(request->reasoning) && IsForced(request->tool_choice);
  bool changed = false;
  switch (format) {
    case Format::kChat:
      changed = FitChatEffort(rules, turned_off, request, notes);
      break;
    case Format::kResponses:
      changed = FitResponsesEffort(rules, request, notes);
      break;
    case Format::kAnthropic:
      changed = FitAnthropicThinking(rules, request, notes);
      break;
    case Format::kGemini:
      changed = FitNamedEffort(rules, &request->reasoning, notes);
      break;
  }
  return changed || forced;
}

}  // namespace ccr::proxy::fit
