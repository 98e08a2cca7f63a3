#include "broker/config/rules.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/config/node_json.h"

namespace ccr {
namespace {

void Add(const std::vector<std::string>& names, std::vector<std::string>* out) {
  for (const std::string& name : names) {
    if (std::find(out->begin(), out->end(), name) == out->end()) out->push_back(name);
  }
}

std::string ValueText(bool value) {
  return value ? "true" : "false";
}
std::string ValueText(uint64_t value) {
  return absl::StrCat(value);
}
std::string ValueText(const std::string& value) {
  return JsonText(value);
}
std::string ValueText(const std::vector<std::string>& value) {
  std::string text;
  for (const std::string& item : value) absl::StrAppend(&text, text.empty() ? "" : ", ", JsonText(item));
  return absl::StrCat("[", text, "]");
}

}  // namespace

const std::vector<RuleField>& RuleFields() {
  static const auto* const fields = new std::vector<RuleField>{
      {"system", &RulesConfig::system, {"anywhere", "first"}},
      {"developer", &RulesConfig::developer},
      {"user_after_tool", &RulesConfig::user_after_tool},
      {"alternate", &RulesConfig::alternate},
      {"call_ids", &RulesConfig::call_ids, {"default", "short"}},
      {"reasoning", &RulesConfig::reasoning, {"none", "turn", "all"}},
      {"reasoning_with_calls", &RulesConfig::reasoning_with_calls},
      {"forced", &RulesConfig::forced, {"keep", "auto", "thinking_off"}},
      {"thinking", &RulesConfig::thinking, {"default", "none", "effort", "object", "enable", "budget", "adaptive"}},
      {"efforts", &RulesConfig::efforts, {"none", "minimal", "low", "medium", "high", "xhigh", "max", "default"}},
      {"sampling", &RulesConfig::sampling},
      {"cache_control", &RulesConfig::cache_control},
      {"schema_combinators", &RulesConfig::schema_combinators},
      {"schema_items", &RulesConfig::schema_items},
      {"schema_refs", &RulesConfig::schema_refs},
      {"responses", &RulesConfig::responses},
      {"think_tags", &RulesConfig::think_tags},
      {"max_tokens", &RulesConfig::max_tokens, {"default", "max_tokens", "max_completion_tokens"}},
      {"max_output", &RulesConfig::max_output},
      {"drop", &RulesConfig::drop},
  };
  return *fields;
}

// Greedy with one point to come back to: the last *. Linear in practice, quadratic at worst.
bool MatchesName(std::string_view pattern, std::string_view name) {
  size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() &&
               (pattern[p] == '?' || absl::ascii_tolower(static_cast<unsigned char>(pattern[p])) ==
                                         absl::ascii_tolower(static_cast<unsigned char>(name[n])))) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

void Apply(const RulesConfig& entry, RulesConfig* rules) {
  for (const RuleField& field : RuleFields()) {
    std::visit(
        [&entry, rules](auto member) {
          if (entry.*member) rules->*member = entry.*member;
        },
        field.member);
  }
  if (entry.drop) rules->also_drop.clear();
  Add(entry.also_drop, &rules->also_drop);
}

RulesConfig RulesFor(const std::vector<ModelRulesConfig>& entries, std::string_view model) {
  RulesConfig rules;
  for (const ModelRulesConfig& entry : entries) {
    const auto matches = [model](const std::string& pattern) { return MatchesName(pattern, model); };
    if (std::any_of(entry.models.begin(), entry.models.end(), matches)) Apply(entry.rules, &rules);
  }
  if (rules.also_drop.empty()) return rules;
  if (!rules.drop) rules.drop.emplace();
  Add(rules.also_drop, &*rules.drop);
  rules.also_drop.clear();
  return rules;
}

std::string DescribeRules(const RulesConfig& rules, const RulesConfig& but) {
  std::string text;
  for (const RuleField& field : RuleFields()) {
    std::visit(
        [&](auto member) {
          if (!(rules.*member) || rules.*member == but.*member) return;
          absl::StrAppend(&text, text.empty() ? "" : ", ", JsonText(field.name), ": ", ValueText(*(rules.*member)));
        },
        field.member);
  }
  return absl::StrCat("{", text, "}");
}

}  // namespace ccr
