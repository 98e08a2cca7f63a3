// The files are written after docs/proxy/configs.md, load_balancing.md and reliability.md of LiteLLM's documentation.
#include <cstdlib>

#include "tests/client/cli_migrate_fakes.h"

namespace ccr::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class MigrateLitellmTest : public MigrateTest {
 protected:
  void SetUp() override {
    MigrateTest::SetUp();
    setenv("CCR_TEST_AZURE_KEY", "canary-env-azure", 1);
    setenv("CCR_TEST_BASE", "https://base.test/v1", 1);
    unsetenv("CCR_TEST_UNSET");
    unsetenv("ANTHROPIC_API_KEY");
  }
};

constexpr const char* kQuickStart = R"(
model_list:
  - model_name: gpt-4o ### RECEIVED MODEL NAME ###
    litellm_params: # all params accepted by litellm.completion()
      model: azure/gpt-4o-eu
      api_base: https://my-endpoint-europe-berri-992.openai.azure.com/
      api_key: "os.environ/CCR_TEST_AZURE_KEY"
      rpm: 6
  - model_name: bedrock-claude-v1
    litellm_params:
      model: bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0
      aws_region_name: us-east-1
  - model_name: gpt-4o
    litellm_params:
      model: azure/gpt-4o-ca
      api_base: https://my-endpoint-canada-berri992.openai.azure.com/
      api_key: os.environ/CCR_TEST_UNSET
  - model_name: vllm-models
    litellm_params:
      model: openai/facebook/opt-125m
      api_base: http://127.0.0.1:4000/v1
      api_key: none
      rpm: 1440
    model_info:
      version: 2
  - model_name: "*"
    litellm_params:
      model: "*"
litellm_settings:
  drop_params: True
  success_callback: ["langfuse"]
general_settings:
  master_key: canary-master-key-1
  alerting: ["slack"]
)";

TEST_F(MigrateLitellmTest, TheQuickStartOfItsDocumentation) {
  ASSERT_EQ(FromText("litellm", kQuickStart), 0) << err_.str();
  const Config config = Loaded();
  EXPECT_EQ(NamesOf(config), "my-endpoint-europe-berri-992, 127.0.0.1:4000");
  const ProviderConfig& azure = config.providers[0];
  EXPECT_EQ(azure.base_url, "https://my-endpoint-europe-berri-992.openai.azure.com/openai/v1/chat/completions");
  EXPECT_EQ(azure.auth_header, "api-key");
  EXPECT_THAT(azure.models, ElementsAre("gpt-4o-eu"));
  EXPECT_EQ(azure.keys[0].secret.Reveal(), "canary-env-azure");
  EXPECT_EQ(azure.keys[0].limits.rpm, 6U);
  EXPECT_THAT(Text(), HasSubstr("${CCR_TEST_AZURE_KEY}"));
  EXPECT_EQ(config.providers[1].base_url, "http://127.0.0.1:4000/v1/chat/completions");
  EXPECT_THAT(config.providers[1].models, ElementsAre("facebook/opt-125m"));
  EXPECT_EQ(config.client_token.Reveal(), "canary-master-key-1");
  EXPECT_EQ(config.router.default_route, "my-endpoint-europe-berri-992,gpt-4o-eu");
  EXPECT_EQ(ModeOf("keys"), 0700U);
  EXPECT_EQ(ModeOf("keys/client-token"), 0600U);
  EXPECT_EQ(ModeOf("config.json"), 0600U);
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("model_list[1] (line 9): provider bedrock: ccr does not sign"),
                    HasSubstr("CCR_TEST_UNSET, which is not set here"), HasSubstr("a wildcard over all"),
                    HasSubstr("general_settings: alerting: "), HasSubstr("model_name gpt-4o: clients ask")));
}

TEST_F(MigrateLitellmTest, DeploymentsOfOneEndpointBecomeThePoolOfAProvider) {
  ASSERT_EQ(FromText("litellm", R"(
model_list:
  - model_name: gpt-4o
    litellm_params: {model: openai/gpt-4o, api_key: canary-key-a1, weight: 3, rpm: 100, tpm: 5000, max_parallel_requests: 4}
  - model_name: gpt-4o
    litellm_params: {model: gpt-4o, api_key: canary-key-a2, rpm: 200}
  - model_name: gpt-4o-mini
    litellm_params: {model: gpt-4o-mini, api_key: canary-key-a1, weight: 3}
    rpm: 50
  - model_name: responses
    litellm_params: {model: openai/responses/gpt-6-luna, api_key: canary-key-a1}
router_settings:
  routing_strategy: latency-based-routing
  num_retries: 2
  timeout: 30
)"),
            0)
      << err_.str();
  const Config config = Loaded();
  ASSERT_EQ(NamesOf(config), "openai, openai-2");
  const ProviderConfig& openai = config.providers[0];
  EXPECT_EQ(openai.strategy, "weighted");
  EXPECT_EQ(openai.max_retries, 2U);
  EXPECT_EQ(config.api_timeout, absl::Seconds(30));
  ASSERT_EQ(openai.keys.size(), 2U);
  EXPECT_THAT(openai.models, ElementsAre("gpt-4o", "gpt-4o-mini"));
  EXPECT_EQ(openai.keys[0].weight, 3);
  EXPECT_EQ(openai.keys[0].limits.rpm, 150U);
  EXPECT_EQ(openai.keys[0].limits.tpm, 0U);
  EXPECT_EQ(openai.keys[0].max_concurrent, 0U);
  EXPECT_THAT(openai.keys[0].models, IsEmpty());
  EXPECT_EQ(openai.keys[1].limits.rpm, 200U);
  EXPECT_THAT(openai.keys[1].models, ElementsAre("gpt-4o"));
  EXPECT_EQ(config.providers[1].base_url, "https://api.openai.com/v1/responses");
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("are the sums over its models"), HasSubstr("hard limits here")));
}

TEST_F(MigrateLitellmTest, StrategiesHaveTheirNamesHere) {
  const auto strategy = [this](const std::string& name) {
    const std::string text = R"(
model_list:
  - {model_name: m, litellm_params: {model: groq/m, api_key: canary-key-b1}}
  - {model_name: m, litellm_params: {model: groq/m, api_key: canary-key-b2}}
router_settings: {routing_strategy: )" +
                             name + "}\n";
    EXPECT_EQ(FromText("litellm", text, {"--force"}), 0) << err_.str();
    return Loaded().providers.at(0).strategy;
  };
  EXPECT_EQ(strategy("simple-shuffle"), "round_robin");
  EXPECT_EQ(strategy("least-busy"), "least_in_flight");
  EXPECT_EQ(strategy("latency-based-routing"), "lowest_latency");
  EXPECT_EQ(strategy("usage-based-routing-v2"), "least_used");
  EXPECT_EQ(strategy("cost-based-routing"), "round_robin");
  EXPECT_THAT(out_.str(), HasSubstr("router_settings: routing_strategy cost-based-routing: "));
}

TEST_F(MigrateLitellmTest, FallbacksOfTheFirstModelFollowIt) {
  ASSERT_EQ(FromText("litellm", R"(
model_list:
  - {model_name: zephyr-beta, litellm_params: {model: hosted_vllm/zephyr, api_base: "http://127.0.0.1:8001/v1"}}
  - {model_name: zephyr-beta, litellm_params: {model: hosted_vllm/zephyr, api_base: "http://127.0.0.1:8002/v1", order: 2}}
  - {model_name: gpt-4o, litellm_params: {model: gpt-4o, api_key: canary-key-c1}}
  - {model_name: claude, litellm_params: {model: claude-sonnet-5-5, api_key: canary-key-c2}}
litellm_settings:
  fallbacks: [{"zephyr-beta": ["claude", "gone"]}, {"gpt-4o": ["claude"]}]
  default_fallbacks: ["gpt-4o"]
  context_window_fallbacks: [{"zephyr-beta": ["gpt-4o"]}]
  allowed_fails: 3
)"),
            0)
      << err_.str();
  const Config config = Loaded();
  EXPECT_EQ(config.router.default_route, "127.0.0.1:8001,zephyr");
  EXPECT_THAT(config.fallback.at("default"), ElementsAre("127.0.0.1:8002,zephyr", "anthropic,claude-sonnet-5-5"));
  EXPECT_EQ(config.providers[0].keys[0].secret.Reveal(), "none");
  EXPECT_EQ(config.providers.back().name, "127.0.0.1:8002");
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("fallbacks of zephyr-beta: gone was not taken"), HasSubstr("fallbacks of gpt-4o: only"),
                    HasSubstr("context_window_fallbacks: set Router.longContext"), HasSubstr("allowed_fails: ")));
}

TEST_F(MigrateLitellmTest, CredentialsVariablesAndWildcards) {
  ASSERT_EQ(FromText("litellm", R"(
environment_variables:
  MY_GROQ_KEY: canary-in-the-file
  LANGFUSE_SECRET_KEY: canary-langfuse
credential_list:
  - credential_name: shared
    credential_values: {api_key: os.environ/CCR_TEST_AZURE_KEY, api_base: os.environ/CCR_TEST_BASE}
    credential_info: {description: "Production"}
model_list:
  - {model_name: a, litellm_params: {model: openai/a, litellm_credential_name: shared}}
  - {model_name: b, litellm_params: {model: openai/b, litellm_credential_name: missing}}
  - {model_name: g, litellm_params: {model: groq/llama-4, api_key: os.environ/MY_GROQ_KEY}}
  - {model_name: "anthropic/*", litellm_params: {model: "anthropic/*", api_key: canary-key-d1}}
  - {model_name: "groq/*", litellm_params: {model: "groq/*", api_key: canary-key-d2}}
  - {model_name: o, litellm_params: {model: ollama/mistral}}
  - {model_name: v, litellm_params: {model: vertex_ai/gemini-pro, vertex_project: p}}
  - {model_name: gem, litellm_params: {model: gemini/gemini-3.8-flash, api_key: canary-key-d3}}
)"),
            0)
      << err_.str();
  const Config config = Loaded();
  ASSERT_EQ(NamesOf(config), "base.test, groq, anthropic, ollama, gemini");
  EXPECT_EQ(config.providers[0].keys[0].secret.Reveal(), "canary-env-azure");
  EXPECT_EQ(config.providers[0].base_url, "https://base.test/v1/chat/completions");
  EXPECT_EQ(config.providers[1].keys[0].secret.Reveal(), "canary-in-the-file");
  EXPECT_THAT(config.providers[2].models, Not(IsEmpty()));
  EXPECT_EQ(config.providers[3].base_url, "http://localhost:11434/v1/chat/completions");
  EXPECT_EQ(config.providers[4].format, ProviderFormat::kGemini);
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("credential missing is not in credential_list"), HasSubstr("a wildcard, and ccr wants"),
                    HasSubstr("provider vertex_ai: "), HasSubstr("LANGFUSE_SECRET_KEY: no key is taken")));
}

TEST_F(MigrateLitellmTest, WhatCannotBeTakenIsToldEachWithItsPlace) {
  EXPECT_EQ(FromText("litellm", R"(
model_list:
  - model_name: a
  - {model_name: b, litellm_params: {api_key: canary-key-e1}}
  - {model_name: c, litellm_params: {model: mystery/c, api_key: canary-key-e1}}
  - {model_name: d, litellm_params: {model: openai/d, api_key: "canary key with spaces"}}
  - {model_name: e, litellm_params: {model: openai/e, api_key: canary-key-e2, api_base: "https://user:canary-password@e.test/v1"}}
  - {model_name: f, litellm_params: {model: hosted_vllm/f}}
  - {model_name: g, litellm_params: {model: claude-sonnet-5-5}}
  - {model_name: h, litellm_params: {model: openai/h, api_key: "sk-canary***"}}
)"),
            2);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("model_list[0] (line 3): it has no litellm_params"),
                                HasSubstr("model_list[1] (line 4): litellm_params.model is missing"),
                                HasSubstr("model_list[2] (line 5): provider mystery: not known"),
                                HasSubstr("model_list[3] (line 6): the key holds a space"),
                                HasSubstr("model_list[4] (line 7): its URL "),
                                HasSubstr("model_list[5] (line 8): api_base is missing")));
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("ANTHROPIC_API_KEY, which is not set here"), HasSubstr("the key is masked"),
                                HasSubstr("can be taken; nothing was written")));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/new"));
}

TEST_F(MigrateLitellmTest, AVariableWithTheSameKeyIsTheSameKey) {
  ASSERT_EQ(FromText("litellm", R"(
model_list:
  - {model_name: e, litellm_params: {model: openai/embedder, api_key: os.environ/CCR_TEST_AZURE_KEY}, model_info: {mode: embedding}}
  - {model_name: a, litellm_params: {model: openai/a, api_key: canary-env-azure}}
general_settings: {master_key: "canary with spaces"}
)"),
            0)
      << err_.str();
  const Config config = Loaded();
  ASSERT_EQ(config.providers.at(0).keys.size(), 1U);
  EXPECT_EQ(config.router.default_route, "openai,a");
  EXPECT_THAT(Text(), HasSubstr("${CCR_TEST_AZURE_KEY}"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/new/keys"));
  EXPECT_THAT(out_.str(), HasSubstr("master_key: the key holds a space"));
}

TEST_F(MigrateLitellmTest, NotItsFormat) {
  EXPECT_EQ(FromText("litellm", "Providers: []\n"), 2);
  EXPECT_THAT(err_.str(), HasSubstr("is no configuration of LiteLLM's proxy: it has no model_list"));
  EXPECT_EQ(FromText("litellm", "a: [\n"), 2);
  EXPECT_THAT(err_.str(), HasSubstr("export:2: column"));
  EXPECT_EQ(FromText("litellm", "model_list: []\n"), 2);
  EXPECT_THAT(err_.str(), HasSubstr("can be taken"));
  EXPECT_EQ(From("litellm", {Put("a", kQuickStart), Put("b", kQuickStart)}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("name one FILE"));
}

}  // namespace
}  // namespace ccr::cli
