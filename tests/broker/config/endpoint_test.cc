// api_base_url that is no endpoint: what is told, and when it keeps the broker from starting.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "broker/config/config.h"
#include "tests/broker/config/problems.h"

namespace ccr {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A provider p with the URL on line 2, and a provider q; `more` at the top.
ConfigResult Parse(const std::string& url, const std::string& more = "") {
  return ParseConfig("{Providers: [{name: 'p', models: ['m'], api_key: 'canary-key-a1',\napi_base_url: '" + url +
                         "'},\n{name: 'q', models: ['m'], api_key: 'canary-key-b2', api_base_url: "
                         "'https://q.test/v1/chat/completions'}],\n" +
                         more + "}",
                     "/cfg/config.json", [](const std::string&) { return std::nullopt; });
}

const char* const kRouted = "Router: {default: 'p,m'}";

void ExpectOne(const ConfigResult& result, ConfigProblem::Severity severity, const std::string& message,
               const std::string& url) {
  ASSERT_EQ(result.problems.size(), 1U) << url << "\n" << Show(result.problems);
  const ConfigProblem& problem = result.problems[0];
  EXPECT_EQ(problem.severity, severity) << url;
  EXPECT_EQ(problem.line, 2) << url;
  EXPECT_EQ(problem.provider, "p") << url;
  EXPECT_EQ(problem.field, "Providers[0].api_base_url") << url;
  EXPECT_THAT(problem.message, HasSubstr(message)) << url;
  EXPECT_EQ(result.config.has_value(), severity == kWarning) << url;
}

TEST(Endpoint, ABaseIsToldWithTheLikelyEndpoint) {
  const struct {
    std::string url, likely;
  } rows[] = {
      {"https://p.test", "https://p.test/v1/chat/completions"},
      {"https://p.test/api/v1", "https://p.test/api/v1/chat/completions"},
      {"https://p.test/v1/models/?a=canary", "https://p.test/v1/chat/completions"},
      {"https://p.test/v1/completions", "https://p.test/v1/chat/completions"},
      {"https://p.test/v1/chat", "https://p.test/v1/chat/completions"},
      {"https://p.test/v1beta/openai", "https://p.test/v1beta/openai/chat/completions"},
      {"https://p.test/anthropic", "https://p.test/anthropic/v1/messages"},
      {"https://p.test/anthropic/v1/", "https://p.test/anthropic/v1/messages"},
      {"https://api.deepseek.com/anthropic", "https://api.deepseek.com/anthropic/v1/messages"},
      {"https://api.anthropic.com", "https://api.anthropic.com/v1/messages"},
      {"https://generativelanguage.googleapis.com", "https://generativelanguage.googleapis.com/v1beta/models/"},
      {"http://ollama:11434", "http://ollama:11434/v1/chat/completions"},
  };
  for (const auto& row : rows) ExpectOne(Parse(row.url), kWarning, "did you mean " + row.likely + "?", row.url);
}

TEST(Endpoint, SomeHostsHaveNoVersionInTheirPaths) {
  const struct {
    std::string url, likely;
  } rows[] = {
      {"https://api.githubcopilot.com", "https://api.githubcopilot.com/chat/completions"},
      {"https://api.githubcopilot.com/models", "https://api.githubcopilot.com/chat/completions"},
      {"https://api.business.githubcopilot.com/", "https://api.business.githubcopilot.com/chat/completions"},
      {"https://api.perplexity.ai", "https://api.perplexity.ai/chat/completions"},
      {"https://models.inference.ai.azure.com", "https://models.inference.ai.azure.com/chat/completions"},
      {"https://models.github.ai", "https://models.github.ai/inference/chat/completions"},
      {"https://models.github.ai/inference", "https://models.github.ai/inference/chat/completions"},
      {"https://models.github.ai/catalog/models", "https://models.github.ai/inference/chat/completions"},
      {"https://models.github.ai/orgs/o/inference", "https://models.github.ai/orgs/o/inference/chat/completions"},
      {"https://api.fireworks.ai/inference", "https://api.fireworks.ai/inference/v1/chat/completions"},
  };
  for (const auto& row : rows) ExpectOne(Parse(row.url), kWarning, "did you mean " + row.likely + "?", row.url);
}

TEST(Endpoint, WhatAnApiHasBesideChatIsToldToo) {
  const struct {
    std::string url, likely;
  } rows[] = {
      {"https://p.test/v1/embeddings", "https://p.test/v1/chat/completions"},
      {"https://p.test/v1/images/generations", "https://p.test/v1/chat/completions"},
      {"https://p.test/v1/audio/speech", "https://p.test/v1/chat/completions"},
      {"https://p.test/v1/rerank", "https://p.test/v1/chat/completions"},
      {"https://p.test/beta/completions", "https://p.test/beta/chat/completions"},
      {"https://me.openai.azure.com/openai/deployments/d/embeddings?api-version=1",
       "https://me.openai.azure.com/openai/deployments/d/chat/completions"},
      {"https://p.test/v1/messages/count_tokens", "https://p.test/v1/messages"},
      {"https://p.test/v1/messages/batches/", "https://p.test/v1/messages"},
      {"https://p.test/v1/responses/input_tokens", "https://p.test/v1/responses"},
      {"https://p.test/v1/responses/compact", "https://p.test/v1/responses"},
  };
  for (const auto& row : rows) ExpectOne(Parse(row.url), kWarning, "did you mean " + row.likely + "?", row.url);
  ExpectOne(Parse("https://api.openai.com/v1/embeddings", kRouted), kError, "is no endpoint", "embeddings");
}

// Google's models are at no other format's endpoint.
TEST(Endpoint, GooglesModelsNeedTheTransformer) {
  const std::string vertex = "https://us-east5-aiplatform.googleapis.com";
  const std::string models = vertex + "/v1/projects/p/locations/us-east5/publishers/google/models";
  const std::string cloudflare = "https://gateway.ai.cloudflare.com/v1/a/g/google-ai-studio/v1/models";
  const std::string ais = "https://generativelanguage.googleapis.com/v1beta/models";
  const std::string use = R"( with transformer: {use: ["gemini"]}?)";
  const struct {
    std::string url, message;
  } rows[] = {
      {models, "did you mean " + models + use},
      {models + "/?a=canary", "did you mean " + models + use},
      {models + "/gemini-2.5-pro:streamGenerateContent?alt=sse", "did you mean " + models + use},
      {cloudflare, "did you mean " + cloudflare + use},
      {ais + "/gemini-2.5-pro:generateContent", "did you mean " + ais + "?"},
      {"https://generativelanguage.googleapis.com/v1beta/openai/models",
       "did you mean https://generativelanguage.googleapis.com/v1beta/openai/chat/completions?"},
      {vertex, "write the full one"},
      {vertex + "/v1", "write the full one"},
      {vertex + "/v1/projects/p/locations/us-east5/publishers/anthropic/models", "write the full one"},
      {vertex + "/v1/projects/p/locations/us-east5/endpoints/openapi",
       "did you mean " + vertex + "/v1/projects/p/locations/us-east5/endpoints/openapi/chat/completions?"},
  };
  for (const auto& row : rows) {
    const ConfigResult result = Parse(row.url);
    ExpectOne(result, kWarning, "is no endpoint", row.url);
    EXPECT_THAT(Show(result.problems), EndsWith(row.message + "\n")) << row.url;
  }
  const ConfigResult used = Parse(models + "', transformer: {use: ['gemini']}, rotation_strategy: 'random");
  EXPECT_THAT(Show(used.problems), Not(HasSubstr("is no endpoint")));
}

// There the base never worked, and a route leads to it.
TEST(Endpoint, ABaseAtAKnownProviderThatARouteNeedsIsAnError) {
  for (const std::string url :
       {"https://api.deepseek.com/v1", "https://API.OpenAI.com/v1", "https://api.openai.com:443/v1",
        "https://api.anthropic.com", "https://openrouter.ai/api/v1", "https://api.deepseek.com/anthropic",
        "https://generativelanguage.googleapis.com", "https://me.openai.azure.com/openai/v1",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "https://api.groq.com/openai/v1/models",
        "https://api.mistral.ai/v1/completions"}) {
    for (const std::string routes :
         {kRouted, "Router: {think: 'P , m'}", "Router: {default: 'q,m'}, fallback: {default: ['q,m', ' p,m']}"})
      ExpectOne(Parse(url, routes), kError, "is no endpoint", url);
    for (const std::string routes : {"", "Router: {default: 'q,m'}", "fallback: {default: ['q,m']}"})
      ExpectOne(Parse(url, routes), kWarning, "is no endpoint", url);
  }
}

// It may answer anywhere, whatever its name.
TEST(Endpoint, ABaseAtAServerOfOnesOwnIsAWarning) {
  for (const std::string url :
       {"https://worker.user.workers.dev", "https://worker.example.com/?target=openai", "https://gw.corp",
        "https://nas.home/v1", "https://vllm.default.svc/v1", "https://ai.test", "https://gpu.home.arpa",
        "http://127.0.0.1:8000/v1", "http://127.0.0.1:11434/v1", "https://me.cn-beijing.pai-eas.aliyuncs.com/v1",
        "https://api.openai.com.example.com/v1", "https://not-api.deepseek.com.test/v1"})
    ExpectOne(Parse(url, kRouted), kWarning, "is no endpoint", url);
  const ConfigResult plain = Parse("http://my-vllm.tailnet.ts.net:8000/v1", kRouted);
  EXPECT_TRUE(plain.config);
  EXPECT_THAT(Show(plain.problems), HasSubstr("is no endpoint"));
}

TEST(Endpoint, WhatMayBeOneIsFine) {
  for (const std::string url :
       {"https://api.openai.com/v1/chat/completions", "https://api.deepseek.com/chat/completions",
        "https://p.test/v1/messages", "https://p.test/v1/responses", "https://p.test/v1beta/models/",
        "https://p.test/chat", "https://p.test/gateway?target=openai",
        "https://p.test/google/models/x/chat/completions", "https://models.github.ai/inference/chat/completions",
        "https://api.githubcopilot.com/chat/completions",
        "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/l/endpoints/openapi/chat/completions"})
    EXPECT_THAT(Show(Parse(url, kRouted).problems), IsEmpty()) << url;
}

}  // namespace
}  // namespace ccr
