// The rules of providers on their way from the configuration to a proxy.
#include <memory>
#include <optional>
#include <string>

#include "broker/adapters/grpc/convert.h"
#include "broker/config/config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/bridge/convert.h"
#include "proxy/core/model_rules.h"
#include "proxy/core/routing_table.h"

namespace ccr {
namespace {

using proxy::ProviderRules;

Routing RoutingOf(const std::string& provider) {
  ConfigResult result = ParseConfig("{Providers: [{name: 'p', models: ['m'], api_key: 'a', " + provider + "}]}",
                                    "/cfg/config.json", [](const std::string&) { return std::nullopt; });
  EXPECT_TRUE(result.config) << provider;
  Routing routing;
  if (result.config) routing.config = *std::move(result.config);
  return routing;
}

std::shared_ptr<const proxy::RoutingTable> AtTheProxy(const std::string& provider) {
  v1::RoutingTable message;
  Fill(RoutingOf(provider), &message);
  return proxy::ToRoutingTable(message);
}

// Of a provider of which nothing is known the broker says what a proxy takes by itself.
TEST(ProviderRulesTest, BothSidesHaveTheSameCarefulValues) {
  const auto table = AtTheProxy("api_base_url: 'https://p.test/v1/chat/completions'");
  EXPECT_EQ(proxy::RulesFor(table->providers[0], "m"), ProviderRules());
}

TEST(ProviderRulesTest, EveryRuleArrives) {
  const auto table = AtTheProxy(
      "api_base_url: 'https://p.test/v1/chat/completions', drop: ['y'], rules: {system: 'anywhere', developer: true, "
      "user_after_tool: false, alternate: true, call_ids: 'short', reasoning: 'turn', reasoning_with_calls: true, "
      "forced: 'thinking_off', "
      "thinking: 'object', efforts: ['low', 'max'], sampling: false, cache_control: true, schema_combinators: false, "
      "schema_items: false, schema_refs: false, responses: true, think_tags: false, max_tokens: 'max_tokens', "
      "max_output: 7, drop: "
      "['x']}");
  const ProviderRules all = {.system = ProviderRules::System::kAnywhere,
                             .developer = true,
                             .user_after_tool = false,
                             .alternate = true,
                             .call_ids = ProviderRules::CallIds::kShort,
                             .reasoning = ProviderRules::History::kTurn,
                             .reasoning_with_calls = true,
                             .forced = ProviderRules::Forced::kThinkingOff,
                             .thinking = ProviderRules::Thinking::kObject,
                             .efforts = {"low", "max"},
                             .sampling = false,
                             .cache_control = true,
                             .schema_combinators = false,
                             .schema_items = false,
                             .schema_refs = false,
                             .responses = true,
                             .think_tags = false,
                             .max_tokens = ProviderRules::MaxTokens::kMaxTokens,
                             .max_output = 7,
                             .drop = {"x", "y"}};
  EXPECT_EQ(proxy::RulesFor(table->providers[0], "m"), all);
}

TEST(ProviderRulesTest, EveryWordIsKnownAtTheProxy) {
  const auto rules = [](const std::string& rule) {
    return proxy::RulesFor(
        AtTheProxy("api_base_url: 'https://p.test/v1/responses', rules: {" + rule + "}")->providers[0], "m");
  };
  EXPECT_EQ(rules("system: 'first'").system, ProviderRules::System::kFirst);
  EXPECT_EQ(rules("call_ids: 'default'").call_ids, ProviderRules::CallIds::kDefault);
  EXPECT_EQ(rules("reasoning: 'none'").reasoning, ProviderRules::History::kNone);
  EXPECT_EQ(rules("reasoning: 'all'").reasoning, ProviderRules::History::kAll);
  EXPECT_EQ(rules("forced: 'auto'").forced, ProviderRules::Forced::kAuto);
  EXPECT_EQ(rules("forced: 'keep'").forced, ProviderRules::Forced::kKeep);
  EXPECT_EQ(rules("max_tokens: 'default'").max_tokens, ProviderRules::MaxTokens::kDefault);
  EXPECT_EQ(rules("max_tokens: 'max_completion_tokens'").max_tokens, ProviderRules::MaxTokens::kMaxCompletionTokens);
  using Thinking = ProviderRules::Thinking;
  EXPECT_EQ(rules("thinking: 'default'").thinking, Thinking::kDefault);
  EXPECT_EQ(rules("thinking: 'none'").thinking, Thinking::kNone);
  EXPECT_EQ(rules("thinking: 'effort'").thinking, Thinking::kEffort);
  EXPECT_EQ(rules("thinking: 'enable'").thinking, Thinking::kEnable);
  EXPECT_EQ(rules("thinking: 'budget'").thinking, Thinking::kBudget);
  EXPECT_EQ(rules("thinking: 'adaptive'").thinking, Thinking::kAdaptive);
}

TEST(ProviderRulesTest, PatternsAndNamesInAnyCase) {
  const auto table = AtTheProxy(
      "api_base_url: 'https://p.test/v1/chat/completions', rules: {models: {'Vendor/BIG-*': {max_output: 7}}}");
  EXPECT_EQ(proxy::RulesFor(table->providers[0], "vendor/Big-1").max_output, 7U);
  EXPECT_EQ(proxy::RulesFor(table->providers[0], "vendor/small").max_output, 0U);
}

// Rules of a newer broker: what a proxy does not know leaves the rule alone, and none of an older one are defaults.
TEST(ProviderRulesTest, MixedVersions) {
  v1::RoutingTable message;
  v1::Provider& provider = *message.add_providers();
  EXPECT_EQ(proxy::RulesFor(proxy::ToRoutingTable(message)->providers[0], "m"), ProviderRules());
  v1::ModelRules& entry = *provider.add_rules();
  entry.add_models("*");
  entry.mutable_rules()->set_thinking("telepathy");
  entry.mutable_rules()->set_sampling(false);
  ProviderRules expected;
  expected.sampling = false;
  EXPECT_EQ(proxy::RulesFor(proxy::ToRoutingTable(message)->providers[0], "m"), expected);
}

TEST(ProviderRulesTest, FormatsArrive) {
  const struct {
    std::string url;
    proxy::Format format;
  } rows[] = {{"https://p.test/v1/chat/completions", proxy::Format::kChat},
              {"https://p.test/v1/messages", proxy::Format::kAnthropic},
              {"https://generativelanguage.googleapis.com/v1beta/models/", proxy::Format::kGemini},
              {"https://p.test/v1/responses", proxy::Format::kResponses}};
  for (const auto& row : rows)
    EXPECT_EQ(AtTheProxy("api_base_url: '" + row.url + "'")->providers[0].format, row.format) << row.url;
}

// As many providers as a configuration may hold go into one message of 16 MiB at most, with all else that it holds.
TEST(ProviderRulesTest, AThousandProvidersFitIntoAMessage) {
  const Routing routing = RoutingOf("api_base_url: 'https://p.test/v1/chat/completions'");
  v1::RoutingTable message;
  Fill(routing, &message);
  EXPECT_LT(1000 * message.ByteSizeLong(), size_t{4} << 20);
}

}  // namespace
}  // namespace ccr
