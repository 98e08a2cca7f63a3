// What providers take: the table, "rules" and "drop", and how they are folded and told.
#include "broker/config/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker/config/config.h"
#include "broker/config/rules_reader.h"
#include "tests/broker/config/problems.h"

namespace ccr::rules_test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

ConfigResult Parse(const std::string& fields, const std::string& path = "/cfg/config.json") {
  return ParseConfig("{Providers: [{name: 'p', api_key: 'canary-key-a1',\n" + fields + "}]}", path,
                     [](const std::string&) { return std::nullopt; });
}

ProviderConfig Good(const std::string& fields) {
  ConfigResult result = Parse(fields);
  EXPECT_TRUE(result.config) << Show(result.problems);
  EXPECT_THAT(Show(result.problems), IsEmpty()) << fields;
  return result.config ? std::move(result.config->providers[0]) : ProviderConfig();
}

std::string At(const std::string& url, const std::string& models = "['m']") {
  return "api_base_url: '" + url + "', models: " + models;
}
const char* const kSomewhere = "https://p.test/v1/chat/completions";

RulesConfig Known(const std::string& url, const std::string& model, const std::string& more = "") {
  return RulesFor(Good(At(url) + more).rules, model);
}

TEST(Rules, PatternsOfNames) {
  const struct {
    std::string pattern, name;
    bool matches;
  } rows[] = {
      {"*", "", true},
      {"*", "m", true},
      {"", "", true},
      {"", "m", false},
      {"gpt-4*", "GPT-4o", true},
      {"gpt-4*", "x/gpt-4", false},
      {"*gpt-4*", "x/gpt-4", true},
      {"a?c", "abc", true},
      {"a?c", "ac", false},
      {"a*b*c", "aXbbXc", true},
      {"a*b*c", "aXcXb", false},
      {"*.x", "a.x.y.x", true},
      {"m", "mm", false},
      {"m**", "m", true},
      {"[1m]", "[1m]", true},
  };
  for (const auto& row : rows)
    EXPECT_EQ(MatchesName(row.pattern, row.name), row.matches) << row.pattern << " " << row.name;
}

TEST(Rules, OfAProviderOfWhichNothingIsKnown) {
  EXPECT_EQ(
      DescribeRules(Known(kSomewhere, "m")),
      R"({"system": "first", "developer": false, "user_after_tool": true, "alternate": false, "call_ids": "default", )"
      R"("reasoning": "none", "reasoning_with_calls": false, "forced": "keep", "thinking": "default", )"
      R"("efforts": [], "sampling": true, "cache_control": false, "schema_combinators": true, )"
      R"("schema_items": true, "schema_refs": true, "responses": false, "think_tags": true, )"
      R"("max_tokens": "default", "max_output": 0, "drop": []})");
}

// What differs from the careful values.
TEST(Rules, TheTable) {
  const std::string openai = "https://api.openai.com/v1/chat/completions";
  const std::string claude = "https://api.anthropic.com/v1/messages";
  const std::string deepseek = "https://api.deepseek.com/chat/completions";
  const std::string host = R"({"system": "anywhere", "developer": true, )";
  const std::string schema = R"("schema_combinators": false, "schema_items": false, "think_tags": false)";
  const std::string chat =
      R"("schema_combinators": false, "schema_items": false, "responses": true, "think_tags": false)";
  const std::string completion = chat + R"(, "max_tokens": "max_completion_tokens")";
  const std::string anthropic = R"("schema_combinators": false, "think_tags": false})";
  const std::string adaptive = R"({"system": "anywhere", "thinking": "adaptive", )"
                               R"("efforts": ["low", "medium", "high", "xhigh", "max"], "sampling": false, )" +
                               anthropic;
  const std::string budget = R"({"system": "anywhere", "thinking": "budget", )" + anthropic;
  const struct {
    std::string url, model, rules;
  } rows[] = {
      {openai, "gpt-4o", host + R"("thinking": "none", )" + chat + R"(, "max_output": 16384})"},
      {openai, "gpt-5-mini",
       host + R"("thinking": "effort", "efforts": ["minimal", "low", "medium", "high"], "sampling": false, )" +
           completion + "}"},
      {openai, "gpt-5.2",
       host + R"("thinking": "effort", "efforts": ["none", "low", "medium", "high", "xhigh"], "sampling": false, )" +
           completion + "}"},
      {openai, "gpt-6.1-terra",
       host + R"("thinking": "effort", "efforts": ["none", "low", "medium", "high", "xhigh"], "sampling": false, )" +
           completion + "}"},
      {openai, "gpt-5-chat-latest", host + R"("thinking": "none", )" + completion + R"(, "max_output": 16384})"},
      {openai, "o3-mini",
       host + R"("thinking": "effort", "efforts": ["low", "medium", "high"], "sampling": false, )" + completion +
           R"(, "max_output": 100000})"},
      {"https://me.openai.azure.com/openai/deployments/d/chat/completions?api-version=1", "d", host + chat + "}"},
      {"https://api.openai.com/v1/responses", "gpt-4o",
       host + R"("thinking": "none", )" + schema + R"(, "max_output": 16384})"},
      {deepseek, "deepseek-v4-pro",
       R"({"reasoning": "all", "reasoning_with_calls": true, "forced": "thinking_off", "thinking": "object", )"
       R"("efforts": ["low", "high", "max"], "max_tokens": "max_tokens", "max_output": 393216})"},
      {deepseek, "deepseek-chat",
       R"({"forced": "thinking_off", "thinking": "object", "efforts": ["low", "high", "max"], )"
       R"("max_tokens": "max_tokens", "max_output": 8192})"},
      {deepseek, "deepseek-reasoner",
       R"({"forced": "auto", "thinking": "object", "efforts": ["low", "high", "max"], "max_tokens": "max_tokens", )"
       R"("max_output": 65536})"},
      {"https://api.deepseek.com/anthropic/v1/messages", "deepseek-v4-pro",
       R"({"system": "anywhere", "reasoning": "all", )" + anthropic},
      {kSomewhere, "deepseek-ai/DeepSeek-V4",
       R"({"reasoning": "all", "reasoning_with_calls": true, "forced": "auto"})"},
      {kSomewhere, "DeepSeek-R1", R"({"forced": "auto"})"},
      {claude, "claude-opus-4-8", adaptive},
      {claude, "claude-fable-5", adaptive},
      {claude, "claude-haiku-5[1m]", adaptive},
      {claude, "claude-sonnet-4-6", R"({"system": "anywhere", )" + anthropic},
      {claude, "claude-sonnet-4-5-20250929", budget},
      {claude, "claude-opus-4-20250514", budget},
      {"https://p.test/v1/messages", "m", R"({"system": "anywhere", )" + anthropic},
      {"https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions", "qwen3-max",
       R"({"forced": "thinking_off", "thinking": "enable"})"},
      {kSomewhere, "Qwen/Qwen3.5-27B", R"({"forced": "auto"})"},
      {kSomewhere, "Qwen/Qwen3-Coder-480B-A35B-Instruct", R"({"thinking": "none"})"},
      {"https://api.moonshot.ai/v1/chat/completions", "kimi-k2.6",
       R"({"reasoning": "all", "reasoning_with_calls": true, "forced": "thinking_off", "thinking": "object", )"
       R"("sampling": false})"},
      {"https://api.moonshot.cn/v1/chat/completions", "kimi-k2-thinking",
       R"({"reasoning": "all", "reasoning_with_calls": true, "forced": "auto", "thinking": "none"})"},
      {"https://api.z.ai/api/coding/paas/v4/chat/completions", "glm-5.2",
       R"({"reasoning": "all", "forced": "auto", "thinking": "object", "max_tokens": "max_tokens"})"},
      {kSomewhere, "mistralai/Mistral-Small-3.2",
       R"({"user_after_tool": false, "alternate": true, "call_ids": "short"})"},
      {kSomewhere, "google/gemma-3-27b-it", R"({"alternate": true, "thinking": "none"})"},
      {kSomewhere, "llama-3.3-70b", R"({"thinking": "none"})"},
      {"https://openrouter.ai/api/v1/chat/completions", "anthropic/claude-opus-4.8",
       R"({"efforts": ["none", "minimal", "low", "medium", "high", "xhigh"], "sampling": false, )"
       R"("cache_control": true})"},
      {"https://api.groq.com/openai/v1/chat/completions", "openai/gpt-oss-120b",
       R"({"thinking": "effort", "efforts": ["low", "medium", "high"], )"
       R"("drop": ["logprobs", "top_logprobs", "logit_bias"]})"},
      {"https://api.x.ai/v1/chat/completions", "grok-4-1-fast-non-reasoning",
       R"({"system": "anywhere", "thinking": "none", "think_tags": false})"},
      {"http://127.0.0.1:11434/v1/chat/completions", "qwen2.5-coder:latest",
       R"({"thinking": "none", "efforts": ["none", "low", "medium", "high"], "max_tokens": "max_tokens"})"},
      {"http://127.0.0.1:8000/v1/chat/completions", "m", "{}"},
  };
  const RulesConfig unknown = Known(kSomewhere, "m");
  for (const auto& row : rows)
    EXPECT_EQ(DescribeRules(Known(row.url, row.model), unknown), row.rules) << row.url << " " << row.model;
}

// As gateways, clouds and Claude Code write the names.
TEST(Rules, ClaudesThinkingByAnySpellingOfItsName) {
  const struct {
    std::string model, thinking;
    bool sampling;
  } rows[] = {
      {"claude-haiku-4.5", "budget", true},
      {"claude-opus-4.1", "budget", true},
      {"claude-opus-4.5", "budget", true},
      {"anthropic/claude-sonnet-4.5", "budget", true},
      {"anthropic/claude-sonnet-4.5:beta", "budget", true},
      {"claude-4.5-sonnet", "budget", true},
      {"claude-4-5-opus-20251101", "budget", true},
      {"claude-4-sonnet", "budget", true},
      {"claude-4-opus-20250514", "budget", true},
      {"anthropic/claude-sonnet-4", "budget", true},
      {"anthropic/claude-sonnet-4:beta", "budget", true},
      {"claude-opus-4:thinking", "budget", true},
      {"claude-sonnet-4[1m]", "budget", true},
      {"claude-sonnet-4-5[1m]", "budget", true},
      {"claude-sonnet-4-0", "budget", true},
      {"claude-opus-4-1", "budget", true},
      {"claude-opus-4@20250514", "budget", true},
      {"claude-opus-4-1@20250805", "budget", true},
      {"us.anthropic.claude-opus-4-1-20250805-v1:0", "budget", true},
      {"anthropic.claude-sonnet-4-20250514-v1:0", "budget", true},
      {"claude-3-7-sonnet-20250219", "budget", true},
      {"claude-sonnet-3.7", "budget", true},
      {"anthropic.claude-v2:1", "budget", true},
      {"claude-sonnet-4-6", "default", true},
      {"claude-sonnet-4.6", "default", true},
      {"anthropic/claude-opus-4.6:beta", "default", true},
      {"claude-4.6-opus", "default", true},
      {"claude-opus-4-8", "adaptive", false},
      {"anthropic/claude-opus-4.8", "adaptive", false},
      {"claude-4.7-opus", "adaptive", false},
      {"claude-opus-4-10", "adaptive", false},
      {"claude-opus-4.50", "adaptive", false},
      {"claude-opus-5@20260101", "adaptive", false},
      {"claude-sonnet-5-20260415", "adaptive", false},
      {"claude-sonnet-5-4", "adaptive", false},
      {"anthropic.claude-opus-5-20260415-v1:0", "adaptive", false},
  };
  for (const auto& row : rows) {
    const RulesConfig rules = Known("https://p.test/v1/messages", row.model);
    EXPECT_EQ(rules.thinking, row.thinking) << row.model;
    EXPECT_EQ(rules.efforts->empty(), row.thinking != "adaptive") << row.model;
    EXPECT_EQ(rules.sampling, row.sampling) << row.model;
    EXPECT_EQ(Known(kSomewhere, row.model).sampling, row.sampling) << row.model;
  }
}

TEST(Rules, WhatOpenAisChatModelsGiveAtMost) {
  const struct {
    std::string model;
    uint64_t max_output;
  } rows[] = {
      {"gpt-4o", 16384},           {"gpt-4o-2024-11-20", 16384},
      {"gpt-4o-2024-05-13", 4096}, {"openai/gpt-4o-2024-05-13", 4096},
      {"gpt-3.5-turbo", 4096},     {"gpt-35-turbo", 4096},
      {"gpt-35-turbo-0125", 4096},
  };
  for (const auto& row : rows) {
    const RulesConfig rules = Known(kSomewhere, row.model);
    EXPECT_EQ(rules.max_output, row.max_output) << row.model;
    EXPECT_EQ(rules.thinking, "none") << row.model;
  }
}

TEST(Rules, MistralTakesNothingThatItDoesNotKnow) {
  const RulesConfig rules = Known("https://api.mistral.ai/v1/chat/completions", "mistral-large-latest");
  EXPECT_EQ(rules.user_after_tool, false);
  EXPECT_EQ(rules.call_ids, "short");
  EXPECT_EQ(rules.max_tokens, "max_tokens");
  EXPECT_THAT(*rules.drop, ::testing::IsSupersetOf({"stream_options", "user", "store"}));
}

TEST(Rules, TransformersSayTheirs) {
  EXPECT_EQ(Known(kSomewhere, "m", ", transformer: {use: ['deepseek']}").reasoning, "turn");
  EXPECT_EQ(Known(kSomewhere, "deepseek-v4", ", transformer: {use: ['deepseek']}").reasoning, "all");
  EXPECT_EQ(
      Known("https://api.openai.com/v1/chat/completions", "m", ", transformer: {use: ['extrathinktag']}").think_tags,
      true);
  // Of one model.
  const std::string of_one = ", transformer: {m: {use: ['extrathinktag']}}";
  EXPECT_EQ(Known("https://api.openai.com/v1/chat/completions", "m", of_one).think_tags, true);
  EXPECT_EQ(Known("https://api.openai.com/v1/chat/completions", "n", of_one).think_tags, false);
}

TEST(Rules, TheConfigurationGoesOverTheTable) {
  const ProviderConfig provider = Good(At("https://api.openai.com/v1/chat/completions", "['gpt-4o', 'm']") +
                                       ", rules: {system: 'first', efforts: ['low'], max_output: 100, models: "
                                       "{'GPT-4*': {developer: 'false', thinking: 'effort'}}}");
  const RulesConfig own = RulesFor(provider.rules, "gpt-4o");
  EXPECT_EQ(own.system, "first");
  EXPECT_EQ(own.developer, false);
  EXPECT_EQ(own.thinking, "effort");
  EXPECT_THAT(*own.efforts, ElementsAre("low"));
  EXPECT_EQ(own.max_output, 100U);
  EXPECT_EQ(own.schema_items, false);  // the table's
  EXPECT_EQ(RulesFor(provider.rules, "m").developer, true);
}

TEST(Rules, DropIsAddedAndItsRuleReplaces) {
  const std::string groq = At("https://api.groq.com/openai/v1/chat/completions", "['m', 'abc']");
  const auto dropped = [&groq](const std::string& more, const std::string& model = "m") {
    return *RulesFor(Good(groq + more).rules, model).drop;
  };
  EXPECT_THAT(dropped(", drop: ['user', 'logprobs']"), ElementsAre("logprobs", "top_logprobs", "logit_bias", "user"));
  EXPECT_THAT(dropped(", rules: {drop: ['user']}"), ElementsAre("user"));
  EXPECT_THAT(dropped(", rules: {drop: []}"), IsEmpty());
  EXPECT_THAT(dropped(", rules: {drop: ['user']}, drop: ['seed']"), ElementsAre("user", "seed"));
  const std::string by_model = ", rules: {drop: []}, drop: {'a*': ['x'], '*': ['y']}";
  EXPECT_THAT(dropped(by_model, "abc"), ElementsAre("x", "y"));
  EXPECT_THAT(dropped(by_model), ElementsAre("y"));
}

// The one problem, on line 3, of a provider p that has the model m.
void ExpectOne(const std::string& fields, ConfigProblem::Severity severity, const std::string& field,
               const std::string& message) {
  const ConfigResult result = Parse(At(kSomewhere) + ", " + fields);
  ASSERT_EQ(result.problems.size(), 1U) << fields << "\n" << Show(result.problems);
  const ConfigProblem& problem = result.problems[0];
  EXPECT_EQ(problem.severity, severity) << fields;
  EXPECT_EQ(problem.line, 3) << fields;
  EXPECT_EQ(problem.provider, "p");
  EXPECT_EQ(problem.field, field);
  EXPECT_THAT(problem.message, HasSubstr(message)) << fields;
}

TEST(Rules, MistakesAreToldWithTheirPlace) {
  const struct {
    std::string fields, field, message;
  } rows[] = {
      {"rules: {\nsystem: 'frist'}", "Providers[0].rules.system", "use one of anywhere, first; did you mean first?"},
      {"rules: {\ndeveloper: 'maybe'}", "Providers[0].rules.developer", "must be true or false"},
      {"rules: {\nsistem: 'first'}", "Providers[0].rules.sistem", "did you mean system?"},
      {"rules: {\nmax_output: -1}", "Providers[0].rules.max_output", "whole number from 0"},
      {"rules: {\nthinking: ''}", "Providers[0].rules.thinking", "unknown value"},
      {"rules: {\nefforts: 'low'}", "Providers[0].rules.efforts", "must be a list"},
      {"rules: {models: {\n'm*': {forced: 'off'}}}", "Providers[0].rules.models.m*.forced", "thinking_off"},
      {"rules: {models: {\n'm*': {forcd: 'auto'}}}", "Providers[0].rules.models.m*.forcd", "did you mean forced?"},
      {"rules: {models: {\n'm*': true}}", "Providers[0].rules.models.m*", "must be a map"},
      {"\nrules: {models: {'': {}}}", "Providers[0].rules.models", "the pattern of a model is empty"},
      {"\nrules: []", "Providers[0].rules", "must be a map"},
      {"\ndrop: 'user'", "Providers[0].drop", "must be a list"},
      {"drop: [\n1]", "Providers[0].drop[0]", "must be text"},
      {"\ndrop: ['']", "Providers[0].drop", "names of 1 to 128 bytes"},
      {"\ndrop: ['messages']", "Providers[0].drop", "no request goes without it"},
      {"drop: {\n'm*': 'user'}", "Providers[0].drop.m*", "must be a list"},
      {"\ndrop: {'': ['user']}", "Providers[0].drop", "the pattern of a model is empty"},
  };
  for (const auto& row : rows) ExpectOne(row.fields, kError, row.field, row.message);
}

// It may be right for a model that is not listed, or that is yet to come.
TEST(Rules, WhatHasNoEffectAsItSeemsIsAWarning) {
  const struct {
    std::string fields, field, message;
  } rows[] = {
      {"rules: {models: {\n'g*': {forced: 'auto'}}}", "Providers[0].rules.models.g*", "matches none of the models"},
      {"drop: {M: ['seed'],\n'mm': ['user']}", "Providers[0].drop.mm", "matches none of the models"},
      {"rules: {efforts: ['low',\n'hihg']}", "Providers[0].rules.efforts[1]", "did you mean high?"},
      {"rules: {models: {'*': {efforts: [\n'bogus']}}}", "Providers[0].rules.models.*.efforts[0]",
       "use none, minimal, low, medium, high, xhigh, max, default"},
  };
  for (const auto& row : rows) ExpectOne(row.fields, kWarning, row.field, row.message);
}

// A map of the same pattern twice tells of the pattern once; a provider without models, of these alone.
TEST(Rules, OneMistakeIsToldOnce) {
  const ConfigResult twice = Parse(At(kSomewhere) + ", drop: {g: ['user'], g: ['user']}");
  ASSERT_EQ(twice.problems.size(), 2U) << Show(twice.problems);
  const ConfigResult none = Parse(At(kSomewhere, "[]") + ", drop: {g: ['user']}");
  ASSERT_EQ(none.problems.size(), 1U) << Show(none.problems);
}

TEST(Rules, WhatIsToldCanBePasted) {
  const std::string url = At("https://api.openai.com/v1/chat/completions", "['gpt-4o', 'gpt-5', 'm', 'n/x:y']");
  const ProviderConfig provider = Good(url + ", drop: {'n/*': ['user']}");
  const std::string told = DescribeRulesOf(provider);
  EXPECT_THAT(told, AllOf(HasSubstr(R"("models": {"gpt-4o": {"thinking": "none", "max_output": 16384}, "gpt-5": {)"),
                          HasSubstr(R"("n/x:y": {"drop": ["user"]}})"), Not(HasSubstr(R"("m": )"))));
  // At a host of which nothing is known they are the same, in both syntaxes.
  const std::string pasted = At(kSomewhere, "['gpt-4o', 'gpt-5', 'm', 'n/x:y']") + ", rules: " + told;
  for (const std::string path : {"/cfg/config.json", "/cfg/config.yaml"}) {
    const ConfigResult result = Parse(pasted, path);
    ASSERT_TRUE(result.config) << Show(result.problems);
    for (const std::string& model : provider.models) {
      EXPECT_EQ(DescribeRules(RulesFor(result.config->providers[0].rules, model)),
                DescribeRules(RulesFor(provider.rules, model)))
          << model;
    }
  }
}

}  // namespace
}  // namespace ccr::rules_test
