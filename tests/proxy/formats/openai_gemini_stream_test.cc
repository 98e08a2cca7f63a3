#include <gtest/gtest.h>

#include <string>

#include "pairs.h"
#include "tests/proxy/formats/openai_validators.h"
#include "tests/proxy/formats/validators.h"

namespace ccr::proxy {
namespace {

const std::string kEvents[] = {
    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"hm\",\"thought\": true}],\"role\": \"model\"},"
    "\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 9,\"totalTokenCount\": 9},\"modelVersion\": "
    "\"gemini-2.5-flash\",\"responseId\": \"r1\"}\r\n\r\n",
    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"h\xC3\xA9llo\"}],\"role\": \"model\"}}]}\r\n\r\n",
    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"functionCall\": {\"name\": \"f\",\"args\": {\"a\": 1}},"
    "\"thoughtSignature\": \"c2ln\"},{\"functionCall\": {\"name\": \"g\"}}]}}]}\r\n\r\n",
    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"\"}]},\"finishReason\": \"STOP\"}],"
    "\"usageMetadata\": {\"promptTokenCount\": 9,\"candidatesTokenCount\": 3,\"thoughtsTokenCount\": 2,"
    "\"cachedContentTokenCount\": 4}}\r\n\r\n"};

std::string Translate(const Translation& translation, const std::string& stream, bool cut = false,
                      bool* failed = nullptr) {
  const auto translator = translation.Stream("shown", {.include_usage = true});
  std::string out;
  for (const char c : stream) translator->Feed(std::string_view(&c, 1), &out);
  translator->Finish(cut, &out);
  if (failed != nullptr) *failed = translator->failed();
  return out;
}

std::string AllEvents() {
  return kEvents[0] + kEvents[1] + kEvents[2] + kEvents[3];
}

TEST(GeminiStreamToOpenAi, TextThoughtsCallsUsage) {
  const std::string stream = Translate(*MakeOpenAiToGemini([] { return 7; }), AllEvents());
  const auto answer = ReadOpenAiChunks(stream, true);
  ASSERT_TRUE(answer.ok()) << answer.status() << stream;
  EXPECT_EQ(answer->text, "h\xC3\xA9llo");
  EXPECT_EQ(answer->reasoning, "hm");
  ASSERT_EQ(answer->calls.size(), 2U);
  EXPECT_EQ(answer->calls[0].name, "f");
  EXPECT_EQ(answer->calls[0].arguments, R"({"a":1})");
  EXPECT_EQ(ReadGeminiCallId(answer->calls[0].id).signature, "c2ln");
  EXPECT_EQ(answer->calls[1].arguments, "{}");
  EXPECT_NE(answer->calls[0].id, answer->calls[1].id);
  EXPECT_EQ(answer->finish_reason, "tool_calls");
  EXPECT_EQ(answer->prompt_tokens, 9U);
  EXPECT_EQ(answer->completion_tokens, 5U);
  EXPECT_NE(stream.find(R"("id":"r1","object":"chat.completion.chunk","created":7,"model":"shown")"), stream.npos);
}

TEST(GeminiStreamToAnthropic, TextThoughtsCallsUsage) {
  AnthropicAnswer answer;
  ASSERT_EQ(CheckAnthropicStream(Translate(*MakeAnthropicToGemini(), AllEvents()), &answer), "");
  ASSERT_EQ(answer.blocks.size(), 4U);
  EXPECT_EQ(answer.blocks[0].type, "thinking");
  EXPECT_EQ(answer.blocks[1].text, "h\xC3\xA9llo");
  EXPECT_EQ(answer.blocks[2].name, "f");
  EXPECT_EQ(ReadGeminiCallId(answer.blocks[2].id).signature, "c2ln");
  EXPECT_EQ(answer.stop_reason, "tool_use");
  EXPECT_EQ(answer.input_tokens, 5U);
  EXPECT_EQ(answer.cache_read_tokens, 4U);
  EXPECT_EQ(answer.output_tokens, 5U);
}

TEST(GeminiStreamToAnthropic, EachDeltaComesAtOnce) {
  const auto translator = MakeAnthropicToGemini()->Stream("shown", {});
  std::string out;
  translator->Feed(kEvents[0], &out);
  EXPECT_NE(out.find("thinking_delta"), out.npos);
  out.clear();
  translator->Feed(kEvents[1], &out);
  EXPECT_NE(out.find("h\xC3\xA9llo"), out.npos);
  EXPECT_EQ(translator->input_tokens(), 9U);
}

TEST(GeminiStream, AFinishReasonMakesAProperEndEvenWhenCut) {
  for (const bool cut : {false, true}) {
    bool failed = true;
    const auto answer = ReadOpenAiChunks(Translate(*MakeOpenAiToGemini(), AllEvents(), cut, &failed), true);
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_TRUE(answer->done);
    EXPECT_FALSE(failed);
  }
}

TEST(GeminiStream, WithoutAFinishReasonTheEndIsAnError) {
  for (const bool cut : {false, true}) {
    bool failed = false;
    const auto openai = ReadOpenAiChunks(Translate(*MakeOpenAiToGemini(), kEvents[0] + kEvents[1], cut, &failed), true);
    ASSERT_TRUE(openai.ok()) << openai.status();
    EXPECT_NE(openai->error, "");
    EXPECT_TRUE(failed);
    failed = false;
    AnthropicAnswer anthropic;
    EXPECT_EQ(CheckAnthropicStream(Translate(*MakeAnthropicToGemini(), kEvents[0], cut, &failed), &anthropic), "");
    EXPECT_NE(anthropic.error, "");
    EXPECT_TRUE(failed);
  }
}

TEST(GeminiStream, ABlockedPromptIsARefusal) {
  const std::string stream = "data: {\"promptFeedback\": {\"blockReason\": \"SAFETY\"}}\r\n\r\n";
  const auto openai = ReadOpenAiChunks(Translate(*MakeOpenAiToGemini(), stream), true);
  ASSERT_TRUE(openai.ok()) << openai.status();
  EXPECT_EQ(openai->finish_reason, "content_filter");
  EXPECT_EQ(openai->refusal, "Gemini blocked the prompt: SAFETY");
  AnthropicAnswer anthropic;
  ASSERT_EQ(CheckAnthropicStream(Translate(*MakeAnthropicToGemini(), stream), &anthropic), "");
  EXPECT_EQ(anthropic.stop_reason, "refusal");
  EXPECT_EQ(anthropic.Joined("text"), "Gemini blocked the prompt: SAFETY");
}

TEST(GeminiStream, AnErrorEndsItInTheProvidersWords) {
  const std::string error =
      "data: {\"error\": {\"code\": 429,\"message\": \"Resource exhausted\",\"status\": "
      "\"RESOURCE_EXHAUSTED\"}}\r\n\r\n";
  const auto openai = ReadOpenAiChunks(Translate(*MakeOpenAiToGemini(), kEvents[1] + error + kEvents[3]), true);
  ASSERT_TRUE(openai.ok()) << openai.status();
  EXPECT_EQ(openai->error, "Resource exhausted");
  AnthropicAnswer anthropic;
  ASSERT_EQ(CheckAnthropicStream(Translate(*MakeAnthropicToGemini(), kEvents[1] + error), &anthropic), "");
  EXPECT_EQ(anthropic.error, "rate_limit_error: Resource exhausted");
  ASSERT_EQ(CheckAnthropicStream(Translate(*MakeAnthropicToGemini(), "data: [{\"error\": {\"message\": \"m\"}}]\n\n"),
                                 &anthropic),
            "");
  EXPECT_EQ(anthropic.error, "api_error: m");
}

TEST(GeminiStream, WhatIsNoJsonIsAnError) {
  for (const std::string data : {"data: x\n\n", "data: []\n\n", "data: 7\n\n"}) {
    bool failed = false;
    Translate(*MakeOpenAiToGemini(), data, false, &failed);
    EXPECT_TRUE(failed) << data;
  }
}

}  // namespace
}  // namespace ccr::proxy
