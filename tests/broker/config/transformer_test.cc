// "transformer" of a provider.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/config/config.h"
#include "broker/config/node_json.h"
#include "tests/broker/config/problems.h"

namespace ccr {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

ConfigResult ParseTransformer(const std::string& transformer, const std::string& path = "/cfg/config.json") {
  return ParseConfig(
      "{Providers: [{name: 'p', api_base_url: 'https://p.test/v1/chat/completions', models: ['m', 'n/x:y'],\n"
      "api_key: 'canary-key-a1',\ntransformer: " +
          transformer + "}]}",
      path, [](const std::string& name) -> std::optional<std::string> {
        if (name == "SET") return "canary-token-x";
        return std::nullopt;
      });
}

ProviderConfig GoodTransformers(const std::string& transformer) {
  ConfigResult result = ParseTransformer(transformer);
  EXPECT_TRUE(result.config) << Show(result.problems);
  EXPECT_THAT(Show(result.problems), IsEmpty());
  return result.config ? std::move(result.config->providers[0]) : ProviderConfig();
}

std::string Shown(const std::vector<TransformerConfig>& transformers) {
  std::string out;
  for (const TransformerConfig& transformer : transformers) out += transformer.name + transformer.options + " ";
  return out;
}

TEST(Transformers, NamesOptionsAndModels) {
  const ProviderConfig provider = GoodTransformers(
      R"({use: ['deepseek', ['maxtoken', {max_tokens: '16384'}], ['enhancetool'], ['tooluse', null]],
          'n/x:y': {use: [['openrouter', {provider: {only: ['a', 1.5, null, true]}}]]}, m: {use: []}})");
  EXPECT_EQ(Shown(provider.transformers), R"(deepseek{} maxtoken{"max_tokens": 16384} enhancetool{} tooluse{} )");
  ASSERT_EQ(provider.model_transformers.size(), 2U);
  EXPECT_EQ(Shown(provider.model_transformers.at("n/x:y")),
            R"(openrouter{"provider": {"only": ["a", 1.5, null, true]}} )");
  EXPECT_EQ(provider.format, ProviderFormat::kOpenAi);
}

TEST(Transformers, NamesOfFormatsEditNothing) {
  const ProviderConfig provider = GoodTransformers("{use: ['Anthropic', 'cleancache', 'OpenAI']}");
  EXPECT_EQ(provider.format, ProviderFormat::kAnthropic);
  EXPECT_EQ(Shown(provider.transformers), "cleancache{} ");
}

TEST(Transformers, FlagsAndNumbersAreWhatTheyMean) {
  EXPECT_EQ(
      Shown(GoodTransformers("{use: [['reasoning', {enable: 'false'}], ['sampling', {temperature: 0, top_p: '0.5'}]]}")
                .transformers),
      R"(reasoning{"enable": false} sampling{"temperature": 0, "top_p": 0.5} )");
}

TEST(Transformers, TheDescriptionReadsBackAndHidesSecrets) {
  const ConfigResult result = ParseTransformer(
      R"({use: [['customparams', {api_token: '$SET', note: 'a "b"\n', n: 7}]], 'n/x:y': {use: ['groq']}})");
  ASSERT_TRUE(result.config) << Show(result.problems);
  const std::string description = DescribeConfig(*result.config);
  const std::string expected =
      R"x(transformer: {use: [[customparams, {"api_token": "(hidden)", "note": "a \"b\"\u000a", "n": 7}]], )x"
      R"x("n/x:y": {use: [groq]}})x";
  EXPECT_THAT(description, HasSubstr(expected));
  EXPECT_THAT(description, Not(HasSubstr("canary")));
  const ConfigResult again =
      ParseConfig(description, "/cfg/config.yaml", [](const std::string&) { return std::nullopt; });
  ASSERT_TRUE(again.config) << Show(again.problems);
  EXPECT_EQ(DescribeConfig(*again.config), description);
}

struct TransformerRow {
  std::string transformer;
  ConfigProblem::Severity severity;
  std::string field, message;
};

class MistakeTest : public ::testing::TestWithParam<TransformerRow> {};

TEST_P(MistakeTest, IsNamed) {
  const ConfigResult result = ParseTransformer(GetParam().transformer);
  ASSERT_EQ(result.problems.size(), 1U) << Show(result.problems);
  const ConfigProblem& problem = result.problems[0];
  EXPECT_EQ(problem.severity, GetParam().severity) << Show(result.problems);
  EXPECT_EQ(problem.line, 3);
  EXPECT_EQ(problem.provider, "p");
  EXPECT_EQ(problem.field, "Providers[0].transformer." + GetParam().field);
  EXPECT_THAT(problem.message, HasSubstr(GetParam().message));
  EXPECT_EQ(result.config.has_value(), GetParam().severity == ConfigProblem::Severity::kWarning);
}

INSTANTIATE_TEST_SUITE_P(
    All, MistakeTest,
    ::testing::Values(
        TransformerRow{"{use: [['maxtoken', {max_tokens: 'many'}]]}", kError, "use[0][1].max_tokens",
                       "whole number from 1"},
        TransformerRow{"{use: [['maxtoken', {max_tokens: 0}]]}", kError, "use[0][1].max_tokens", "whole number from 1"},
        TransformerRow{"{use: ['maxtoken']}", kError, "use[0].max_tokens", "maxtoken needs this option"},
        TransformerRow{"{use: [['maxtoken', 5]]}", kError, "use[0][1]", "must be a map {...}, not a number"},
        TransformerRow{"{use: [['maxtoken', {max_tokens: 5, maxtokens: 5}]]}", kWarning, "use[0][1].maxtokens",
                       "did you mean max_tokens?"},
        TransformerRow{"{use: [['sampling', {temperature: 2.5}]]}", kError, "use[0][1].temperature", "from 0 to 2"},
        TransformerRow{"{use: [['sampling', {top_p: []}]]}", kError, "use[0][1].top_p", "number from 0 to 1"},
        TransformerRow{"{use: [['reasoning', {enable: 'maybe'}]]}", kError, "use[0][1].enable",
                       "must be true or false"},
        TransformerRow{"{use: [['groq', {a: 1}]]}", kWarning, "use[0][1].a", "unknown field"},
        TransformerRow{"{use: [['openrouter', {model: 'x'}]]}", kError, "use[0][1].model", "cannot be set here"},
        TransformerRow{"{use: [['groq', {}, 1]]}", kWarning, "use[0]", "more than a name and its options"},
        TransformerRow{"{m: {use: [['maxtoken', {max_tokens: 'x'}]]}}", kError, "m.use[0][1].max_tokens",
                       "whole number from 1"},
        TransformerRow{"{strange: {use: ['groq']}}", kWarning, "strange",
                       "neither \"use\" nor one of the provider's models"}));

TEST(NodeJson, Texts) {
  EXPECT_EQ(JsonText("a\"\\\n\x01\xC3\xA9"), "\"a\\\"\\\\\\u000a\\u0001\xC3\xA9\"");
}

}  // namespace
}  // namespace ccr
