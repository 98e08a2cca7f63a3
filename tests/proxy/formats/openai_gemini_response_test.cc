// Gemini's answers for clients of both formats, by the documented examples.
#include <gtest/gtest.h>

#include <string>

#include "pairs.h"
#include "proxy/formats/json_util.h"
#include "tests/proxy/formats/openai_validators.h"
#include "tests/proxy/formats/validators.h"

namespace ccr::proxy {
namespace {

constexpr std::string_view kTextAnswer =
    R"({"candidates":[{"content":{"parts":[{"text":"AI learns "},{"text":"patterns."}],
  "role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":20,
  "thoughtsTokenCount":7,"totalTokenCount":35,"cachedContentTokenCount":5,
  "promptTokensDetails":[{"modality":"TEXT","tokenCount":8}]},"modelVersion":"gemini-2.5-flash","responseId":"r-1"})";
constexpr std::string_view kCalls = R"({"candidates":[{"content":{"parts":[{"text":"Let me see.","thought":true},
  {"functionCall":{"name":"weather","args":{"city":"Paris"}},"thoughtSignature":"a+/b=="},
  {"functionCall":{"id":"fc-2","name":"weather","args":{"city":"Rome"}}}],"role":"model"},"finishReason":"STOP"}],
  "usageMetadata":{"promptTokenCount":8},"modelVersion":"gemini-3-pro","responseId":"r-2"})";

json::value ToOpenAi(std::string_view body) {
  Notes notes;
  const auto response = MakeOpenAiToGemini([] { return 7; })->Response(body, &notes);
  if (!response.ok()) {
    ADD_FAILURE() << response.status();
    return {};
  }
  EXPECT_TRUE(CheckOpenAiCompletion(*response).ok()) << CheckOpenAiCompletion(*response) << *response;
  return ParseJson(*response).value();
}

AnthropicAnswer ToAnthropic(std::string_view body) {
  Notes notes;
  AnthropicAnswer answer;
  const auto response = MakeAnthropicToGemini()->Response(body, &notes);
  if (!response.ok()) {
    ADD_FAILURE() << response.status();
    return answer;
  }
  EXPECT_EQ(CheckAnthropicMessage(*response, &answer), "");
  return answer;
}

TEST(GeminiToOpenAiResponse, Text) {
  Notes notes;
  EXPECT_EQ(
      MakeOpenAiToGemini([] { return 7; })->Response(kTextAnswer, &notes).value(),
      R"({"id":"r-1","object":"chat.completion","created":7,"model":"gemini-2.5-flash","choices":[{"index":0,"message":)"
      R"({"role":"assistant","content":"AI learns patterns.","refusal":null},"logprobs":null,"finish_reason":"stop"}],)"
      R"("usage":{"prompt_tokens":8,"completion_tokens":27,"total_tokens":35,"prompt_tokens_details":{"cached_tokens":5},)"
      R"("completion_tokens_details":{"reasoning_tokens":7}}})");
  EXPECT_TRUE(notes.empty());
}

TEST(GeminiToOpenAiResponse, CallsAndThoughts) {
  const json::value response = ToOpenAi(kCalls);
  const json::value& choice = response.at("choices").at(0);
  EXPECT_EQ(choice.at("finish_reason"), "tool_calls");
  EXPECT_EQ(choice.at("message").at("reasoning_content"), "Let me see.");
  EXPECT_TRUE(choice.at("message").at("content").is_null());
  const json::array& calls = choice.at("message").at("tool_calls").as_array();
  ASSERT_EQ(calls.size(), 2U);
  EXPECT_TRUE(FindText(calls[0].as_object(), "id").ends_with("__sig_a-_b")) << ToJson(calls[0]);
  EXPECT_EQ(calls[1].at("id"), "gid_fc-2");
  EXPECT_EQ(ToJson(calls[1].at("function")), R"({"name":"weather","arguments":"{\"city\":\"Rome\"}"})");
  EXPECT_EQ(ToOpenAi(kCalls), response) << "the same answer, the same ids";
}

TEST(GeminiToOpenAiResponse, HowItEnded) {
  const struct {
    std::string reason, finish, stop_reason;
  } rows[] = {
      {"STOP", "stop", "end_turn"},
      {"MAX_TOKENS", "length", "max_tokens"},
      {"SAFETY", "content_filter", "refusal"},
      {"RECITATION", "content_filter", "refusal"},
      {"SPII", "content_filter", "refusal"},
      {"MALFORMED_FUNCTION_CALL", "stop", "end_turn"},
      {"OTHER", "stop", "end_turn"},
      {"SOMETHING_NEW", "stop", "end_turn"},
  };
  for (const auto& row : rows) {
    const std::string body = R"({"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":")" + row.reason +
                             R"("}],"usageMetadata":{"promptTokenCount":1}})";
    EXPECT_EQ(ToOpenAi(body).at("choices").at(0).at("finish_reason"), row.finish.c_str()) << row.reason;
    EXPECT_EQ(ToAnthropic(body).stop_reason, row.stop_reason) << row.reason;
  }
}

TEST(GeminiToOpenAiResponse, WithoutContentItSaysWhy) {
  constexpr std::string_view kMalformed =
      R"({"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"Malformed function call: f("}]})";
  EXPECT_EQ(ToOpenAi(kMalformed).at("choices").at(0).at("message").at("content"), "Malformed function call: f(");
  constexpr std::string_view kUnsafe = R"({"candidates":[{"content":{},"finishReason":"SAFETY"}]})";
  const json::value unsafe = ToOpenAi(kUnsafe);
  EXPECT_EQ(unsafe.at("choices").at(0).at("message").at("refusal"), "Gemini ended its answer: SAFETY");
  EXPECT_EQ(unsafe.at("choices").at(0).at("message").at("content"), "");
  constexpr std::string_view kBlocked =
      R"({"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":4}})";
  EXPECT_EQ(ToOpenAi(kBlocked).at("choices").at(0).at("finish_reason"), "content_filter");
  const AnthropicAnswer blocked = ToAnthropic(kBlocked);
  EXPECT_EQ(blocked.stop_reason, "refusal");
  EXPECT_EQ(blocked.Joined("text"), "Gemini blocked the prompt: PROHIBITED_CONTENT");
  EXPECT_EQ(blocked.input_tokens, 4U);
  EXPECT_TRUE(ToAnthropic(R"({"candidates":[{"finishReason":"STOP"}]})").blocks.empty());
}

TEST(GeminiToOpenAiResponse, WhatIsNoAnswer) {
  for (const std::string_view body :
       {"", "[]", "{}", R"({"candidates":[]})", R"({"error":{"code":500,"message":"m"}})"}) {
    Notes notes;
    EXPECT_EQ(MakeOpenAiToGemini()->Response(body, &notes).status().code(), absl::StatusCode::kInternal) << body;
    EXPECT_EQ(MakeAnthropicToGemini()->Response(body, &notes).status().code(), absl::StatusCode::kInternal) << body;
  }
}

TEST(GeminiToOpenAiResponse, PartsWithoutAPlaceAreNoted) {
  Notes notes;
  ASSERT_TRUE(MakeOpenAiToGemini()
                  ->Response(R"({"candidates":[{"content":{"parts":[{"inlineData":{}},{"text":""}]},)"
                             R"("groundingMetadata":{},"finishReason":"STOP"}]})",
                             &notes)
                  .ok());
  EXPECT_EQ(notes, (Notes{"parts: one that is neither text nor call was dropped", "groundingMetadata: dropped"}));
}

TEST(GeminiToAnthropicResponse, CallsAndUsage) {
  const AnthropicAnswer answer = ToAnthropic(kCalls);
  EXPECT_EQ(answer.stop_reason, "tool_use");
  EXPECT_EQ(answer.Joined("thinking"), "Let me see.");
  ASSERT_EQ(answer.blocks.size(), 3U);
  EXPECT_EQ(answer.blocks[1].text, R"({"city":"Paris"})");
  EXPECT_EQ(ReadGeminiCallId(answer.blocks[1].id).signature, "a+/b");
  const AnthropicAnswer text = ToAnthropic(kTextAnswer);
  EXPECT_EQ(text.input_tokens, 3U);
  EXPECT_EQ(text.cache_read_tokens, 5U);
  EXPECT_EQ(text.output_tokens, 27U);
}

TEST(GeminiErrors, KeepTheirWording) {
  constexpr std::string_view kError =
      R"({"error":{"code":429,"message":"You exceeded your current quota.","status":"RESOURCE_EXHAUSTED"}})";
  EXPECT_EQ(MakeOpenAiToGemini()->Error(429, kError),
            R"({"error":{"message":"You exceeded your current quota.","type":"rate_limit_error","param":null,)"
            R"("code":"rate_limit_exceeded"}})");
  const std::string listed = "[" + std::string(kError) + "]";
  EXPECT_EQ(MakeAnthropicToGemini()->Error(429, listed),
            R"({"type":"error","error":{"type":"rate_limit_error","message":"You exceeded your current quota."}})");
  EXPECT_EQ(MakeAnthropicToGemini()->Error(400, "<html>"),
            R"({"type":"error","error":{"type":"invalid_request_error","message":"<html>"}})");
  EXPECT_NE(MakeOpenAiToGemini()->Error(500, "").find("status 500"), std::string::npos);
}

TEST(GeminiCallIds, AreUniqueWhateverTheUpstreamSays) {
  gemini::CallIds ids;
  EXPECT_EQ(ids.Next("a", 1), "gid_a");
  const std::string second = ids.Next("a", 1);
  EXPECT_TRUE(second.starts_with("call_"));
  EXPECT_NE(ids.Next("a", 1), second);
  EXPECT_EQ(ids.Next("x_1-Y", 1), "gid_x_1-Y");
  EXPECT_TRUE(ids.Next("a b", 1).starts_with("call_")) << "no id of OpenAI's";
  EXPECT_TRUE(ids.Next("a__sig_b", 1).starts_with("call_"));
  EXPECT_EQ(gemini::OwnCallId("gid_x_1-Y", false), "x_1-Y");
  EXPECT_EQ(gemini::OwnCallId("toolu_01", false), "");
  EXPECT_NE(gemini::CallIds().Next("", 1), gemini::CallIds().Next("", 2));
}

}  // namespace
}  // namespace ccr::proxy
