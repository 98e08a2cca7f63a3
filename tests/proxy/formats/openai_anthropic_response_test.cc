#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

#include "pairs.h"
#include "tests/proxy/formats/openai_validators.h"

namespace ccr::proxy {
namespace {

namespace json = boost::json;

json::value TranslateAnswer(const std::string& body, Notes* notes = nullptr) {
  const auto response = MakeOpenAiToAnthropic([] { return 1700000000; })->Response(body, notes);
  EXPECT_TRUE(response.ok()) << response.status();
  if (!response.ok()) return nullptr;
  EXPECT_TRUE(CheckOpenAiCompletion(*response).ok()) << CheckOpenAiCompletion(*response) << "\n" << *response;
  return json::parse(*response);
}

// `content` is a JSON array.
json::value TranslateContent(const std::string& content, const std::string& stop_reason, Notes* notes = nullptr) {
  return TranslateAnswer(R"({"id":"msg_1","type":"message","role":"assistant","model":"claude-test","content":)" +
                             content + R"(,"stop_reason":")" + stop_reason +
                             R"(","stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":5}})",
                         notes);
}

std::string Error(int status, const std::string& body) {
  return MakeOpenAiToAnthropic()->Error(status, body);
}

TEST(OpenAiToAnthropicResponse, Text) {
  const json::value expected = json::parse(R"({"id":"msg_1","object":"chat.completion","created":1700000000,
    "model":"claude-test","choices":[{"index":0,
    "message":{"role":"assistant","content":"Hi! I am \u00e9.","refusal":null},"logprobs":null,"finish_reason":"stop"}],
    "usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":0}}})");
  EXPECT_EQ(TranslateContent(R"([{"type":"text","text":"Hi! "},{"type":"text","text":"I am \u00e9."}])", "end_turn"),
            expected);
}

TEST(OpenAiToAnthropicResponse, ToolsAndThinking) {
  Notes notes;
  const json::value answer = TranslateContent(R"([
    {"type":"thinking","thinking":"Hm.","signature":"abc"},{"type":"redacted_thinking","data":"xyz"},
    {"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Paris","days":0.7}},
    {"type":"tool_use","id":"toolu_2","name":"clock","input":{}}])",
                                              "tool_use", &notes);
  const json::value& choice = answer.at("choices").at(0);
  EXPECT_EQ(choice.at("finish_reason"), "tool_calls");
  json::object message = choice.at("message").as_object();
  EXPECT_EQ(message.at("reasoning_details").as_array().size(), 2U) << "the signature and what was redacted";
  message.erase("reasoning_details");
  EXPECT_EQ(message, json::parse(R"({"role":"assistant","content":null,"refusal":null,
    "reasoning_content":"Hm.","tool_calls":[
    {"id":"toolu_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\",\"days\":0.7}"}},
    {"id":"toolu_2","type":"function","function":{"name":"clock","arguments":"{}"}}]})"));
  EXPECT_TRUE(notes.empty());
}

TEST(OpenAiToAnthropicResponse, FinishReasons) {
  const std::string text = R"([{"type":"text","text":"a"}])";
  for (const auto& [stop_reason, expected] :
       std::vector<std::pair<std::string, std::string>>{{"end_turn", "stop"},
                                                        {"stop_sequence", "stop"},
                                                        {"pause_turn", "stop"},
                                                        {"max_tokens", "length"},
                                                        {"model_context_window_exceeded", "length"},
                                                        {"tool_use", "tool_calls"},
                                                        {"refusal", "content_filter"},
                                                        {"something_new", "stop"}}) {
    EXPECT_EQ(TranslateContent(text, stop_reason).at("choices").at(0).at("finish_reason").as_string(), expected)
        << stop_reason;
  }
  const std::string call = R"([{"type":"tool_use","id":"x","name":"f","input":{}}])";
  EXPECT_EQ(TranslateContent(call, "something_new").at("choices").at(0).at("finish_reason"), "tool_calls");
}

TEST(OpenAiToAnthropicResponse, AnEmptyAnswerHasAnEmptyText) {
  EXPECT_EQ(TranslateContent("[]", "end_turn").at("choices").at(0).at("message").at("content"), "");
}

TEST(OpenAiToAnthropicResponse, CachedTokensCountAsPrompt) {
  const json::value answer = TranslateAnswer(R"({"id":"m","model":"c","content":[],"stop_reason":"end_turn","usage":
    {"input_tokens":3,"cache_creation_input_tokens":20,"cache_read_input_tokens":100,"output_tokens":7}})");
  EXPECT_EQ(answer.at("usage"), json::parse(R"({"prompt_tokens":123,"completion_tokens":7,"total_tokens":130,
    "prompt_tokens_details":{"cached_tokens":100}})"));
}

TEST(OpenAiToAnthropicResponse, WhatIsNoMessageIsInternal) {
  for (const std::string body : {"", "<html>", "[]", "{}", R"({"type":"error","error":{"message":"x"}})"}) {
    EXPECT_EQ(MakeOpenAiToAnthropic()->Response(body, nullptr).status().code(), absl::StatusCode::kInternal) << body;
  }
}

TEST(OpenAiToAnthropicResponse, CallsAreValidWhateverTheUpstreamSends) {
  const json::value response = TranslateContent(
      R"([{"type":"tool_use","id":"t","name":"f","input":"{\"a\":1}"},{"type":"tool_use","id":"t","name":"f","input":7},)"
      R"({"type":"tool_use","name":"f"}])",
      "tool_use");
  const json::array& calls = response.at("choices").at(0).at("message").at("tool_calls").as_array();
  EXPECT_EQ(calls.at(0).at("function").at("arguments"), R"({"a":1})");
  EXPECT_EQ(calls.at(1).at("id"), "call_1");
  EXPECT_EQ(calls.at(1).at("function").at("arguments"), R"({"raw_arguments":"7"})");
  EXPECT_EQ(calls.at(2).at("id"), "call_2");
  const auto nameless = MakeOpenAiToAnthropic()->Response(R"({"content":[{"type":"tool_use","id":"t"}]})", nullptr);
  EXPECT_EQ(nameless.status().code(), absl::StatusCode::kInternal);
}

TEST(OpenAiToAnthropicError, KeepsTheUpstreamsWording) {
  EXPECT_EQ(
      Error(429, R"({"type":"error","error":{"type":"rate_limit_error","message":"Slow \"down\"."},"request_id":"r"})"),
      R"({"error":{"message":"Slow \"down\".","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}})");
  EXPECT_EQ(
      Error(529, R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})"),
      R"({"error":{"message":"Overloaded","type":"overloaded_error","param":null,"code":"service_unavailable"}})");
  EXPECT_EQ(
      Error(400, R"({"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 > 8"}})"),
      R"({"error":{"message":"prompt is too long: 9 > 8","type":"invalid_request_error","param":null,)"
      R"("code":"context_length_exceeded"}})");
}

TEST(OpenAiToAnthropicError, ReadsWhatOtherServersSend) {
  EXPECT_EQ(json::parse(Error(502, "  <html>Bad gateway</html>\n")).at("error").at("message").as_string(),
            "<html>Bad gateway</html>");
  EXPECT_EQ(json::parse(Error(500, R"({"error":"broken"})")).at("error").at("message").as_string(), "broken");
  EXPECT_EQ(json::parse(Error(500, R"({"message":"broken"})")).at("error").at("message").as_string(), "broken");
  EXPECT_EQ(json::parse(Error(503, "")).at("error").at("message").as_string(),
            "the upstream answered with HTTP status 503");
  EXPECT_EQ(json::parse(Error(401, "\xFF")).at("error").at("code"), "invalid_api_key");
}

}  // namespace
}  // namespace ccr::proxy
