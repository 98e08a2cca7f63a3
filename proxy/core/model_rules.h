// The rules of single models of a provider, as the routing table brings them, and how they are folded into one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/core/provider_rules.h"

namespace ccr::proxy {

struct Provider;

// What one entry sets of ProviderRules; what is unset stays as it was.
struct RuleSettings {
  std::optional<ProviderRules::System> system = {};
  std::optional<bool> developer = {};
  std::optional<bool> user_after_tool = {};
  std::optional<bool> alternate = {};
  std::optional<ProviderRules::CallIds> call_ids = {};
  std::optional<ProviderRules::History> reasoning = {};
  std::optional<bool> reasoning_with_calls = {};
  std::optional<ProviderRules::Forced> forced = {};
  std::optional<ProviderRules::Thinking> thinking = {};
  std::optional<std::vector<std::string>> efforts = {};
  std::optional<bool> sampling = {};
  std::optional<bool> cache_control = {};
  std::optional<bool> schema_combinators = {};
  std::optional<bool> schema_items = {};
  std::optional<bool> schema_refs = {};
  std::optional<bool> responses = {};
  std::optional<bool> think_tags = {};
  std::optional<ProviderRules::MaxTokens> max_tokens = {};
  std::optional<uint64_t> max_output = {};
  std::optional<std::vector<std::string>> drop = {};  // in place of those before
  std::vector<std::string> also_drop = {};            // beside those before
};

// For the models that one of the patterns matches: * is any text, ? one character.
struct ModelRules {
  std::vector<std::string> models;  // in lower case; the names they are compared with may be in any
  RuleSettings settings;
};

// What `provider` takes of a request for `model`: its entries in order, later ones over earlier ones, rule by rule.
// Of a name, which is a client's, 256 bytes are compared. Pure; linear in the number of entries.
ProviderRules RulesFor(const Provider& provider, std::string_view model);

}  // namespace ccr::proxy
