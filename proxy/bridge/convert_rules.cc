#include "proxy/bridge/convert_rules.h"

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"

namespace ccr::proxy {
namespace {

namespace v1 = ccr::broker::v1;

template <typename Word>
std::optional<Word> WordOf(std::string_view text, std::initializer_list<std::pair<std::string_view, Word>> words) {
  for (const auto& [name, word] : words) {
    if (name == text) return word;
  }
  return std::nullopt;
}

std::vector<std::string> ToNames(const google::protobuf::RepeatedPtrField<std::string>& names) {
  return {names.begin(), names.end()};
}

std::vector<std::string> ToPatterns(const google::protobuf::RepeatedPtrField<std::string>& names) {
  std::vector<std::string> patterns = ToNames(names);
  for (std::string& pattern : patterns) absl::AsciiStrToLower(&pattern);
  return patterns;
}

void SetWords(const v1::Rules& message, RuleSettings* out) {
  using System = ProviderRules::System;
  using CallIds = ProviderRules::CallIds;
  using History = ProviderRules::History;
  using Forced = ProviderRules::Forced;
  using Thinking = ProviderRules::Thinking;
  using MaxTokens = ProviderRules::MaxTokens;
  out->system = WordOf<System>(message.system(), {{"anywhere", System::kAnywhere}, {"first", System::kFirst}});
  out->call_ids = WordOf<CallIds>(message.call_ids(), {{"default", CallIds::kDefault}, {"short", CallIds::kShort}});
  out->reasoning = WordOf<History>(message.reasoning(),
                                   {{"none", History::kNone}, {"turn", History::kTurn}, {"all", History::kAll}});
  out->forced = WordOf<Forced>(
      message.forced(), {{"keep", Forced::kKeep}, {"auto", Forced::kAuto}, {"thinking_off", Forced::kThinkingOff}});
  out->max_tokens =
      WordOf<MaxTokens>(message.max_tokens(), {{"default", MaxTokens::kDefault},
                                               {"max_tokens", MaxTokens::kMaxTokens},
                                               {"max_completion_tokens", MaxTokens::kMaxCompletionTokens}});
  out->thinking = WordOf<Thinking>(message.thinking(), {{"default", Thinking::kDefault},
                                                        {"none", Thinking::kNone},
                                                        {"effort", Thinking::kEffort},
                                                        {"object", Thinking::kObject},
                                                        {"enable", Thinking::kEnable},
                                                        {"budget", Thinking::kBudget},
                                                        {"adaptive", Thinking::kAdaptive}});
}

RuleSettings ToSettings(const v1::Rules& message) {
  RuleSettings out;
  SetWords(message, &out);
  if (message.has_developer()) out.developer = message.developer();
  if (message.has_user_after_tool()) out.user_after_tool = message.user_after_tool();
  if (message.has_alternate()) out.alternate = message.alternate();
  if (message.has_reasoning_with_calls()) out.reasoning_with_calls = message.reasoning_with_calls();
  if (message.has_efforts()) out.efforts = ToNames(message.efforts().names());
  if (message.has_sampling()) out.sampling = message.sampling();
  if (message.has_cache_control()) out.cache_control = message.cache_control();
  if (message.has_schema_combinators()) out.schema_combinators = message.schema_combinators();
  if (message.has_schema_items()) out.schema_items = message.schema_items();
  if (message.has_schema_refs()) out.schema_refs = message.schema_refs();
  if (message.has_responses()) out.responses = message.responses();
  if (message.has_think_tags()) out.think_tags = message.think_tags();
  if (message.has_max_output()) out.max_output = message.max_output();
  if (message.has_drop()) out.drop = ToNames(message.drop().names());
  out.also_drop = ToNames(message.also_drop());
  return out;
}

}  // namespace

std::vector<ModelRules> ToModelRules(const google::protobuf::RepeatedPtrField<v1::ModelRules>& messages) {
  std::vector<ModelRules> entries;
  entries.reserve(static_cast<size_t>(messages.size()));
  for (const v1::ModelRules& message : messages)
    entries.push_back({ToPatterns(message.models()), ToSettings(message.rules())});
  return entries;
}

}  // namespace ccr::proxy
