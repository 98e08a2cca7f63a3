#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "pairs.h"
#include "tests/proxy/formats/validators.h"

namespace ccr::proxy {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class AnthropicOpenAiResponse : public testing::Test {
 protected:
  std::string Translate(std::string_view body) {
    const auto message = translation_->Response(body, &notes_);
    if (!message.ok()) return message.status().ToString();
    answer_ = {};
    EXPECT_EQ(CheckAnthropicMessage(*message, &answer_), "");
    return Unmarked(*message);
  }

  // An answer whose one choice is `choice`.
  void Choice(std::string_view choice) {
    Translate(R"({"id":"c1","model":"m","choices":[)" + std::string(choice) + "]}");
  }

  const std::unique_ptr<Translation> translation_ = MakeAnthropicToOpenAi();
  Notes notes_;
  AnthropicAnswer answer_;
};

TEST_F(AnthropicOpenAiResponse, TranslatesText) {
  EXPECT_EQ(Translate(R"({"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"some-model",
      "choices":[{"index":0,"message":{"role":"assistant","content":"Good morning.","refusal":null},
                  "logprobs":null,"finish_reason":"stop"}],
      "usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":4}}})"),
            R"({"id":"chatcmpl-1","type":"message","role":"assistant","model":"some-model",)"
            R"("content":[{"type":"text","text":"Good morning."}],"stop_reason":"end_turn","stop_sequence":null,)"
            R"("usage":{"input_tokens":15,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,)"
            R"("output_tokens":10}})");
}

TEST_F(AnthropicOpenAiResponse, TranslatesToolCallsBehindThinkingAndText) {
  EXPECT_THAT(
      Translate(R"({"id":"c1","model":"m","choices":[{"message":{"content":"See:","reasoning_content":"Hm.",
      "tool_calls":[{"id":"call_1","type":"function","function":{"name":"A","arguments":"{\"x\":0.5}"}},
                    {"id":"call_2","type":"function","function":{"name":"B","arguments":""}}]},
      "finish_reason":"tool_calls"}]})"),
      HasSubstr(R"("content":[{"type":"thinking","thinking":"Hm.","signature":""},{"type":"text","text":"See:"},)"
                R"({"type":"tool_use","id":"call_1","name":"A","input":{"x":0.5}},)"
                R"({"type":"tool_use","id":"call_2","name":"B","input":{}}],"stop_reason":"tool_use")"));
}

TEST_F(AnthropicOpenAiResponse, TranslatesFinishReasons) {
  const auto reason = [this](std::string_view finish, std::string_view message) {
    Choice(R"({"message":)" + std::string(message) + R"(,"finish_reason":)" + std::string(finish) + "}");
    return answer_.stop_reason;
  };
  const std::string text = R"({"content":"a"})";
  const std::string call = R"({"tool_calls":[{"id":"1","function":{"name":"A","arguments":"{}"}}]})";
  EXPECT_EQ(reason("\"stop\"", text), "end_turn");
  EXPECT_EQ(reason("\"length\"", text), "max_tokens");
  EXPECT_EQ(reason("\"content_filter\"", text), "refusal");
  EXPECT_EQ(reason("\"tool_calls\"", text), "end_turn");
  EXPECT_EQ(reason("\"something_new\"", text), "end_turn");
  EXPECT_EQ(reason("null", text), "end_turn");
  EXPECT_EQ(reason("\"stop\"", call), "tool_use");
  EXPECT_EQ(reason("\"length\"", call), "max_tokens");
  EXPECT_EQ(reason("null", call), "tool_use");
  EXPECT_EQ(reason("\"function_call\"", R"({"function_call":{"name":"A","arguments":"{}"}})"), "tool_use");
}

TEST_F(AnthropicOpenAiResponse, NamesTheStopSequenceWhereTheUpstreamDoes) {
  Choice(R"({"message":{"content":"a"},"finish_reason":"stop","stop_reason":"END"})");
  EXPECT_EQ(answer_.stop_reason, "stop_sequence");
  EXPECT_EQ(answer_.stop_sequence, "END");
  Choice(R"({"message":{"content":"a"},"finish_reason":"stop","stop_reason":2})");
  EXPECT_EQ(answer_.stop_reason, "end_turn");
}

TEST_F(AnthropicOpenAiResponse, TellsRefusals) {
  Choice(R"({"message":{"content":null,"refusal":"I will not."},"finish_reason":"stop"})");
  EXPECT_EQ(answer_.stop_reason, "refusal");
  EXPECT_EQ(answer_.Joined("text"), "I will not.");
}

TEST_F(AnthropicOpenAiResponse, ReadsContentInParts) {
  Choice(R"({"message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},
      {"type":"text","text":"a"},{"type":"text","text":"b"}]},"finish_reason":"stop"})");
  EXPECT_THAT(answer_.blocks, SizeIs(2));
  EXPECT_EQ(answer_.Joined("thinking"), "hm");
  EXPECT_EQ(answer_.Joined("text"), "ab");
}

TEST_F(AnthropicOpenAiResponse, ReadsEveryProvidersCacheFigures) {
  Translate(R"({"choices":[{"message":{"content":"a"}}],
      "usage":{"prompt_tokens":10,"completion_tokens":2,"prompt_cache_hit_tokens":7}})");
  EXPECT_EQ(answer_.input_tokens, 3u);
  EXPECT_EQ(answer_.cache_read_tokens, 7u);
  Translate(R"({"choices":[{"message":{"content":"a"}}],
      "usage":{"prompt_tokens":10,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":11}}})");
  EXPECT_EQ(answer_.input_tokens, 0u);
  EXPECT_EQ(answer_.cache_read_tokens, 10u);
}

TEST_F(AnthropicOpenAiResponse, AnEmptyAnswerIsAMessage) {
  Choice(R"({"message":{"role":"assistant","content":null},"finish_reason":"stop"})");
  EXPECT_THAT(answer_.blocks, SizeIs(0));
  EXPECT_EQ(answer_.stop_reason, "end_turn");
}

TEST_F(AnthropicOpenAiResponse, MakesUpIdsThatAreMissing) {
  Translate(R"({"choices":[{"message":{"tool_calls":[{"function":{"name":"A","arguments":"{}"}},
      {"id":"","function":{"name":"A","arguments":{"a":1}}}]}}]})");
  EXPECT_THAT(answer_.blocks, SizeIs(2));
  EXPECT_EQ(answer_.blocks[1].text, R"({"a":1})");
}

TEST_F(AnthropicOpenAiResponse, GivesAnswersAndCallsIdsOfTheirOwn) {
  const auto answer = [this](int created) {
    Translate(R"({"id":"1","created":)" + std::to_string(created) + R"(,"choices":[{"message":{"tool_calls":[
        {"id":"0","function":{"name":"A"}},{"id":"0","function":{"name":"A"}}]}}]})");
    return std::set<std::string>{answer_.id, answer_.blocks.at(0).id, answer_.blocks.at(1).id};
  };
  std::set<std::string> ids = answer(1);
  ids.merge(answer(2));
  EXPECT_THAT(ids, SizeIs(6));
  EXPECT_THAT(ids, testing::Each(testing::MatchesRegex("[01]_ccr[0-9a-f]{8}")));
}

TEST_F(AnthropicOpenAiResponse, WrapsArgumentsThatAreNoObject) {
  Choice(R"({"message":{"tool_calls":[{"id":"1","function":{"name":"A","arguments":"{\"a\":"}}]}})");
  EXPECT_EQ(answer_.blocks[0].text, R"({"raw_arguments":"{\"a\":"})");
}

TEST_F(AnthropicOpenAiResponse, TwoCallsNeverShareAnId) {
  Choice(R"({"message":{"tool_calls":[{"id":"1","function":{"name":"A"}},{"id":"1","function":{"name":"B"}}]}})");
  ASSERT_THAT(answer_.blocks, SizeIs(2));
  EXPECT_NE(answer_.blocks[0].id, answer_.blocks[1].id);
}

TEST_F(AnthropicOpenAiResponse, ErrorsWithinAnAnswerAreErrors) {
  EXPECT_THAT(Translate(R"({"choices":[{"message":{"content":"a"},"finish_reason":"error"}]})"), HasSubstr("INTERNAL"));
  EXPECT_THAT(Translate(R"({"choices":[{"message":{"content":"a"},"error":{"code":502,"message":"gone"}}]})"),
              HasSubstr("gone"));
  EXPECT_THAT(Translate(R"({"choices":[{"message":{"tool_calls":[{"id":"1","function":{"arguments":"{}"}}]}}]})"),
              HasSubstr("without a name"));
}

TEST_F(AnthropicOpenAiResponse, NotesWhatItDoesNotRead) {
  Choice(R"({"message":{"role":"assistant","content":"a","audio":null,"annotations":[]}})");
  EXPECT_THAT(notes_, SizeIs(0));
  Choice(R"({"message":{"content":"a","annotations":[{"type":"url_citation"}]}})");
  EXPECT_THAT(notes_, testing::ElementsAre("annotations: dropped"));
}

TEST_F(AnthropicOpenAiResponse, RefusesWhatIsNoAnswer) {
  EXPECT_THAT(Translate("<html>"), HasSubstr("INTERNAL"));
  EXPECT_THAT(Translate("[]"), HasSubstr("INTERNAL"));
  EXPECT_THAT(Translate(R"({"choices":[]})"), HasSubstr("INTERNAL"));
  EXPECT_THAT(Translate(R"({"error":{"message":"No endpoints found","code":404}})"), HasSubstr("No endpoints found"));
}

TEST_F(AnthropicOpenAiResponse, KeepsTheWordingOfErrors) {
  const auto wanted = [](std::string_view type, std::string_view message) {
    return R"({"type":"error","error":{"type":")" + std::string(type) + R"(","message":")" + std::string(message) +
           "\"}}";
  };
  EXPECT_EQ(translation_->Error(429, R"({"error":{"message":"Slow down","type":"requests","param":null,"code":"x"}})"),
            wanted("rate_limit_error", "Slow down"));
  EXPECT_EQ(
      translation_->Error(400, R"({"error":{"message":"Provider returned error","metadata":{"raw":"too long"}}})"),
      wanted("invalid_request_error", "Provider returned error: too long"));
  EXPECT_EQ(translation_->Error(404, R"([{"error":{"code":404,"message":"no such model"}}])"),
            wanted("not_found_error", "no such model"));
  EXPECT_EQ(translation_->Error(500, R"({"error":"out of memory"})"), wanted("api_error", "out of memory"));
  EXPECT_EQ(translation_->Error(422, R"({"detail":"bad field"})"), wanted("invalid_request_error", "bad field"));
  EXPECT_EQ(translation_->Error(401, R"({"message":"who are you"})"), wanted("authentication_error", "who are you"));
  EXPECT_EQ(translation_->Error(502, "Bad Gateway"), wanted("api_error", "Bad Gateway"));
  EXPECT_EQ(translation_->Error(529, ""), wanted("overloaded_error", "the upstream answered with status 529"));
}

}  // namespace
}  // namespace ccr::proxy
