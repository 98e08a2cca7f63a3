// How the entries of the routing table become the rules of a request.
#include "proxy/core/model_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "proxy/core/routing_table.h"

namespace ccr::proxy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ModelRules, NoEntriesAreTheCarefulValues) {
  const ProviderRules rules = RulesFor(Provider(), "m");
  EXPECT_EQ(rules.system, ProviderRules::System::kFirst);
  EXPECT_FALSE(rules.developer);
  EXPECT_TRUE(rules.sampling);
  EXPECT_THAT(rules.drop, IsEmpty());
}

TEST(ModelRules, LaterEntriesGoOverEarlierOnesRuleByRule) {
  Provider provider;
  provider.rules = {
      {{"*"}, {.developer = true, .efforts = {{"low", "high"}}, .max_output = 10, .drop = {{"a"}}}},
      {{"gpt-5*", "*/gpt-5*"},
       {.thinking = ProviderRules::Thinking::kEffort, .max_output = 20, .also_drop = {"a", "b"}}},
      {{"gpt-5-pro"}, {.developer = false, .efforts = {{}}, .drop = {{"c"}}}},
      {{"*"}, {.also_drop = {"d"}}},
  };
  const ProviderRules other = RulesFor(provider, "gpt-4");
  EXPECT_TRUE(other.developer);
  EXPECT_EQ(other.max_output, 10U);
  EXPECT_EQ(other.thinking, ProviderRules::Thinking::kDefault);
  EXPECT_THAT(other.drop, ElementsAre("a", "d"));
  for (const std::string model : {"GPT-5-mini", "openai/gpt-5"}) {
    const ProviderRules five = RulesFor(provider, model);
    EXPECT_EQ(five.thinking, ProviderRules::Thinking::kEffort) << model;
    EXPECT_EQ(five.max_output, 20U) << model;
    EXPECT_THAT(five.efforts, ElementsAre("low", "high")) << model;
    EXPECT_THAT(five.drop, ElementsAre("a", "b", "d")) << model;
  }
  const ProviderRules pro = RulesFor(provider, "gpt-5-pro");
  EXPECT_FALSE(pro.developer);
  EXPECT_EQ(pro.max_output, 20U);
  EXPECT_THAT(pro.efforts, IsEmpty());
  EXPECT_THAT(pro.drop, ElementsAre("c", "d"));
}

TEST(ModelRules, PatternsOfModels) {
  const struct {
    std::string pattern, model;
    bool matches;
  } rows[] = {{"*", "", true},      {"m", "M", true},     {"m", "mm", false},        {"m*", "m[1m]", true},
              {"a?c", "abc", true}, {"a?c", "ac", false}, {"a*b*c", "aXbbXc", true}, {"a*b*c", "acb", false},
              {"*b", "abab", true}, {"", "m", false},     {"*b*", "abc", true},      {"*b*", "ac", false},
              {"**", "m", true},    {"*?*", "", false},   {"*?*", "m", true},        {"*b", "abc", false}};
  for (const auto& row : rows) {
    Provider provider;
    provider.rules = {{{row.pattern}, {.developer = true}}};
    EXPECT_EQ(RulesFor(provider, row.model).developer, row.matches) << row.pattern << " " << row.model;
  }
}

TEST(ModelRules, OfALongNameTheBeginningIsCompared) {
  Provider provider;
  provider.rules = {{{"*end"}, {.developer = true}}};
  EXPECT_TRUE(RulesFor(provider, std::string(253, 'm') + "end").developer);
  EXPECT_FALSE(RulesFor(provider, std::string(254, 'm') + "end").developer);
}

}  // namespace
}  // namespace ccr::proxy
