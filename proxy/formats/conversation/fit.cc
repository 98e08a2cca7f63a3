#include "proxy/formats/conversation/fit.h"

#include "proxy/formats/conversation/allowed_tools.h"
#include "proxy/formats/conversation/call_ids.h"
#include "proxy/formats/conversation/history.h"
#include "proxy/formats/conversation/limits.h"
#include "proxy/formats/conversation/reasoning.h"
#include "proxy/formats/conversation/schemas.h"
#include "proxy/formats/conversation/system_text.h"
#include "proxy/formats/conversation/turns.h"

namespace ccr::proxy {
namespace fit {
namespace {

// Formats that have a role for system text.
bool KnowsSystem(Format format) {
  return format == Format::kChat || format == Format::kResponses;
}

bool Thinks(const ModelRequest& request) {
  return request.reasoning.mode == Reasoning::Mode::kBudget || request.reasoning.mode == Reasoning::Mode::kAdaptive;
}

void DropSamplingOfThinking(ModelRequest* request, Notes* notes) {
  Sampling& sampling = request->sampling;
  if (!sampling.temperature && !sampling.top_p && !sampling.top_k) return;
  sampling.temperature.reset();
  sampling.top_p.reset();
  sampling.top_k.reset();
  AddNote(notes, "temperature, top_p: dropped, thinking is on");
}

// Thinking that another provider made is gone: Anthropic would miss it where the turn goes on.
bool StopUnsignedThinking(const ProviderRules& rules, ModelRequest* request, Notes* notes) {
  if (rules.thinking == ProviderRules::Thinking::kAdaptive) return false;  // it may begin at any place
  if (request->origin != Format::kAnthropic || request->reasoning.mode != Reasoning::Mode::kBudget) return false;
  if (AllowsThinking(request->messages)) return false;
  request->reasoning.mode = Reasoning::Mode::kOff;
  request->reasoning.budget.reset();
  AddNote(notes, "thinking: turned off until the turn ends, another provider began it");
  return true;
}

}  // namespace
}  // namespace fit

void Fit(const ProviderRules& rules, Format provider, ModelRequest* request, Notes* notes) {
  if (!rules.developer || !fit::KnowsSystem(provider)) fit::LowerDevelopers(request);
  if (rules.system == ProviderRules::System::kFirst || !fit::KnowsSystem(provider)) fit::FoldSystem(request, notes);
  const bool needs_user = rules.alternate || !fit::KnowsSystem(provider);
  fit::OrderTurns(rules, provider, needs_user, request, notes);
  fit::KeepAllowedTools(request, notes);
  fit::FitReasoning(rules, provider, request, notes);
  fit::FitHistory(rules, provider, request, notes);
  if (!rules.user_after_tool && fit::KnowsSystem(provider)) fit::PutUserIntoResults(request, notes);
  if (provider == Format::kAnthropic && fit::Thinks(*request)) fit::DropSamplingOfThinking(request, notes);
  fit::FitLimits(rules, request, notes);
  if (provider != Format::kGemini) fit::FitSchemas(rules, request, notes);
  if (provider != Format::kAnthropic && !(provider == Format::kChat && rules.cache_control))
    fit::DropCacheMarks(request, notes);
  if (provider == Format::kChat) fit::NameMaxTokens(rules, request);
  fit::DropMembers(rules.drop, provider, request, notes);
}

bool FitSame(const ProviderRules& rules, bool stateless, ModelRequest* request, Notes* notes) {
  const Format format = request->origin;
  bool changed = fit::DropForeignState(rules, request, notes);
  if ((changed || stateless) && format == Format::kChat) fit::DropEmptyThinking(request);
  if (changed) fit::StopUnsignedThinking(rules, request, notes);
  if (!rules.developer && fit::KnowsSystem(format)) changed |= fit::LowerDevelopers(request);
  if (rules.system == ProviderRules::System::kFirst && fit::KnowsSystem(format))
    changed |= fit::FoldSystem(request, notes);
  changed |= fit::FitSameReasoning(rules, request, notes);
  if (format == Format::kChat && rules.reasoning_with_calls && rules.reasoning != ProviderRules::History::kNone) {
    const bool all = rules.reasoning == ProviderRules::History::kAll;
    changed |= fit::AddEmptyThinking(all ? 0 : fit::TurnUnderWay(request->messages), request);
  }
  if (!rules.user_after_tool && fit::KnowsSystem(format)) changed |= fit::PutUserIntoResults(request, notes);
  if (rules.alternate && fit::KnowsSystem(format)) changed |= fit::MergeRoles(request);
  changed |= fit::ShortenIds(rules, request, notes);
  changed |= fit::FitLimits(rules, request, notes);
  if (format != Format::kGemini) changed |= fit::FitSchemas(rules, request, notes);
  if (format == Format::kChat) changed |= fit::NameMaxTokens(rules, request);
  changed |= fit::DropMembers(rules.drop, format, request, notes);
  return changed || stateless;
}

}  // namespace ccr::proxy
