// What providers take of a request: the rules that the configuration and the table (provider_rules.h) give, and how
// they are folded. Each is described at ccr::proxy::ProviderRules (proxy/core/provider_rules.h), which proxies fold
// them into.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ccr {

// The rules that one entry sets; those that are unset stay as entries before it have them.
struct RulesConfig {
  std::optional<std::string> system = {};     // "anywhere", "first"
  std::optional<bool> developer = {};         // knows the role
  std::optional<bool> user_after_tool = {};   // takes a message of the user after a result
  std::optional<bool> alternate = {};         // wants user and assistant in turns
  std::optional<std::string> call_ids = {};   // "default", "short": nine letters and digits
  std::optional<std::string> reasoning = {};  // "none", "turn", "all": which of the history goes back
  std::optional<bool> reasoning_with_calls = {};
  std::optional<std::string> forced = {};    // "keep", "auto", "thinking_off"
  std::optional<std::string> thinking = {};  // "default", "none", "effort", "object", "enable", "budget", "adaptive"
  std::optional<std::vector<std::string>> efforts = {};  // weakest first
  std::optional<bool> sampling = {};
  std::optional<bool> cache_control = {};
  std::optional<bool> schema_combinators = {};
  std::optional<bool> schema_items = {};
  std::optional<bool> schema_refs = {};
  std::optional<bool> responses = {};  // serves Responses at the sibling URL of Chat Completions
  std::optional<bool> think_tags = {};
  std::optional<std::string> max_tokens = {};         // "default", "max_tokens", "max_completion_tokens"
  std::optional<uint64_t> max_output = {};            // tokens; 0 = no bound
  std::optional<std::vector<std::string>> drop = {};  // all that are left out, in place of those before
  std::vector<std::string> also_drop = {};            // left out too: what "drop" beside "rules" gives

  bool operator==(const RulesConfig&) const = default;
};

// One rule by its name in the configuration.
struct RuleField {
  template <typename T>
  using Member = std::optional<T> RulesConfig::*;

  std::string_view name;
  std::variant<Member<bool>, Member<uint64_t>, Member<std::string>, Member<std::vector<std::string>>> member;
  std::vector<std::string_view> words = {};  // what a text may be, and one of a list should
};

// All of them but also_drop, in the order in which they are told.
const std::vector<RuleField>& RuleFields();

// An entry of what holds for one provider, for the models whose name one of `models` matches.
struct ModelRulesConfig {
  std::vector<std::string> models;  // patterns of MatchesName
  RulesConfig rules;
};

// Whether `name` is like `pattern`, in which * stands for any text and ? for one character; without case.
bool MatchesName(std::string_view pattern, std::string_view name);

// Sets in `rules` what `entry` sets.
void Apply(const RulesConfig& entry, RulesConfig* rules);

// What holds for `model`: the entries that match it, the later ones over the earlier.
RulesConfig RulesFor(const std::vector<ModelRulesConfig>& entries, std::string_view model);

// As the configuration reads it, {"system": "first", ...}, without what `but` has alike.
std::string DescribeRules(const RulesConfig& rules, const RulesConfig& but = {});

}  // namespace ccr
