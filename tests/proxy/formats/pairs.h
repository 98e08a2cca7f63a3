// Translations between two formats as tests want them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/formats/answer_id.h"
#include "proxy/formats/conversation/state.h"
#include "proxy/formats/format_pair.h"
#include "proxy/formats/gemini/call_id.h"

namespace ccr::proxy {

struct PairTraits {
  bool keep_reasoning = false;      // thinking of the turn under way goes back up
  bool keep_cache_control = false;  // the provider reads Anthropic's cache marks
};

inline std::unique_ptr<Translation> MakePair(Format client, Format provider, ProviderRules rules = {},
                                             UnixSeconds now = nullptr) {
  FormatPairOptions options;
  options.client = client;
  options.provider = provider;
  options.rules = std::move(rules);
  options.now = std::move(now);
  return std::make_unique<FormatPair>(std::move(options));
}

// A provider that takes system text anywhere.
inline ProviderRules RulesOf(const PairTraits& traits) {
  ProviderRules rules;
  rules.system = ProviderRules::System::kAnywhere;
  rules.developer = true;
  if (traits.keep_reasoning) rules.reasoning = ProviderRules::History::kAll;
  rules.cache_control = traits.keep_cache_control;
  return rules;
}

inline std::unique_ptr<Translation> MakeAnthropicToOpenAi(const PairTraits& traits = {}) {
  return MakePair(Format::kAnthropic, Format::kChat, RulesOf(traits));
}
inline std::unique_ptr<Translation> MakeOpenAiToAnthropic(UnixSeconds now = nullptr) {
  ProviderRules rules;  // of a Claude model that thinks within a budget
  rules.thinking = ProviderRules::Thinking::kBudget;
  return MakePair(Format::kChat, Format::kAnthropic, std::move(rules), std::move(now));
}
inline std::unique_ptr<Translation> MakeOpenAiToGemini(UnixSeconds now = nullptr) {
  return MakePair(Format::kChat, Format::kGemini, {}, std::move(now));
}
inline std::unique_ptr<Translation> MakeAnthropicToGemini() {
  return MakePair(Format::kAnthropic, Format::kGemini);
}

// What the id of a call of Gemini's carries.
struct GeminiCallId {
  std::string id;         // Gemini's own; empty where the model gave none
  std::string signature;  // in base64; empty where the call had none
};
inline GeminiCallId ReadGeminiCallId(std::string_view id) {
  OpaqueStates states;
  const std::string_view bare = UpstreamId(IdWithoutState(id, &states));
  const OpaqueState* signature = FindState(states, StateKind::kGeminiSignature);
  return {std::string(gemini::OwnCallId(bare, false)), signature == nullptr ? std::string() : signature->data};
}

}  // namespace ccr::proxy
