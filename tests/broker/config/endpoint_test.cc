// api_base_url that is no endpoint: what is told, and when it keeps the broker from starting.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "broker/config/config.h"
#include "tests/broker/config/problems.h"

namespace ccr {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

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
      {"https://api.deepseek.com/anthropic", "https://api.deepseek.com/anthropic/v1/messages"},
      {"https://api.anthropic.com", "https://api.anthropic.com/v1/messages"},
      {"https://generativelanguage.googleapis.com", "https://generativelanguage.googleapis.com/v1beta/models/"},
      {"http://ollama:11434", "http://ollama:11434/v1/chat/completions"},
  };
  for (const auto& row : rows) ExpectOne(Parse(row.url), kWarning, "did you mean " + row.likely + "?", row.url);
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
        "https://p.test/chat", "https://p.test/gateway?target=openai"})
    EXPECT_THAT(Show(Parse(url, kRouted).problems), IsEmpty()) << url;
}

}  // namespace
}  // namespace ccr
