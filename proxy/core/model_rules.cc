#include "proxy/core/model_rules.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/ascii.h"
#include "proxy/core/routing_table.h"

namespace ccr::proxy {
namespace {

constexpr size_t kMaxNameSize = 256;

// "*text*", as nearly all are.
bool IsInner(std::string_view pattern) {
  if (pattern.size() < 3 || pattern.front() != '*' || pattern.back() != '*') return false;
  return std::none_of(pattern.begin() + 1, pattern.end() - 1, [](char c) { return c == '*' || c == '?'; });
}

// The broker's MatchesName (broker/config/rules.h), of lower case. Greedy, with one point to come back to: the last *.
bool MatchesModel(std::string_view pattern, std::string_view model) {
  if (IsInner(pattern)) return model.find(pattern.substr(1, pattern.size() - 2)) != std::string_view::npos;
  size_t p = 0, m = 0, star = std::string_view::npos, resume = 0;
  while (m < model.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = m;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == model[m])) {
      ++p;
      ++m;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      m = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

template <typename T>
void Set(const std::optional<T>& setting, T* rule) {
  if (setting) *rule = *setting;
}

void Apply(const RuleSettings& settings, ProviderRules* rules) {
  Set(settings.system, &rules->system);
  Set(settings.developer, &rules->developer);
  Set(settings.user_after_tool, &rules->user_after_tool);
  Set(settings.alternate, &rules->alternate);
  Set(settings.call_ids, &rules->call_ids);
  Set(settings.reasoning, &rules->reasoning);
  Set(settings.reasoning_with_calls, &rules->reasoning_with_calls);
  Set(settings.forced, &rules->forced);
  Set(settings.thinking, &rules->thinking);
  Set(settings.efforts, &rules->efforts);
  Set(settings.sampling, &rules->sampling);
  Set(settings.cache_control, &rules->cache_control);
  Set(settings.schema_combinators, &rules->schema_combinators);
  Set(settings.schema_items, &rules->schema_items);
  Set(settings.schema_refs, &rules->schema_refs);
  Set(settings.responses, &rules->responses);
  Set(settings.think_tags, &rules->think_tags);
  Set(settings.max_tokens, &rules->max_tokens);
  Set(settings.max_output, &rules->max_output);
  Set(settings.drop, &rules->drop);
  for (const std::string& name : settings.also_drop) {
    if (std::find(rules->drop.begin(), rules->drop.end(), name) == rules->drop.end()) rules->drop.push_back(name);
  }
}

}  // namespace

ProviderRules RulesFor(const Provider& provider, std::string_view model) {
  std::array<char, kMaxNameSize> lower;
  const size_t size = std::min(model.size(), lower.size());
  std::transform(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(size), lower.begin(),
                 [](char c) { return absl::ascii_tolower(static_cast<unsigned char>(c)); });
  model = {lower.data(), size};
  ProviderRules rules;
  for (const ModelRules& entry : provider.rules) {
    const auto matches = [model](const std::string& pattern) { return MatchesModel(pattern, model); };
    if (std::any_of(entry.models.begin(), entry.models.end(), matches)) Apply(entry.settings, &rules);
  }
  return rules;
}

}  // namespace ccr::proxy
