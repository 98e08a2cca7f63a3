#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

#include "pairs.h"
#include "tests/proxy/formats/openai_validators.h"

namespace ccr::proxy {
namespace {

namespace json = boost::json;

std::string Event(const std::string& type, const std::string& rest = "") {
  return "event: " + type + "\ndata: {\"type\":\"" + type + "\"" + rest + "}\n\n";
}

std::string MessageStart() {
  return Event("message_start", R"(,"message":{"id":"msg_1","type":"message","role":"assistant","content":[],)"
                                R"("model":"claude-x","stop_reason":null,"usage":{"input_tokens":25,)"
                                R"("cache_read_input_tokens":100,"output_tokens":1}})");
}

std::string BlockStart(int index, const std::string& block) {
  return Event("content_block_start", ",\"index\":" + std::to_string(index) + ",\"content_block\":" + block);
}

std::string BlockDelta(int index, const std::string& delta) {
  return Event("content_block_delta", ",\"index\":" + std::to_string(index) + ",\"delta\":" + delta);
}

std::string BlockStop(int index) {
  return Event("content_block_stop", ",\"index\":" + std::to_string(index));
}

std::string TextDelta(int index, const std::string& text) {
  return BlockDelta(index, R"({"type":"text_delta","text":")" + text + "\"}");
}

std::string ArgumentsDelta(int index, const std::string& escaped) {
  return BlockDelta(index, R"({"type":"input_json_delta","partial_json":")" + escaped + "\"}");
}

std::string MessageDelta(const std::string& stop_reason) {
  return Event("message_delta", R"(,"delta":{"stop_reason":")" + stop_reason +
                                    R"(","stop_sequence":null},"usage":{"output_tokens":15})");
}

const char kTextBlock[] = R"({"type":"text","text":""})";

struct Streamed {
  std::string bytes;
  ChunkedAnswer answer;
  bool failed = false;
  uint64_t input_tokens = 0;
  uint64_t output_tokens = 0;
};

Streamed Stream(const std::string& upstream, bool include_usage = false, bool cut = false,
                const std::string& model = "m") {
  StreamOptions options;
  options.include_usage = include_usage;
  const auto stream = MakeOpenAiToAnthropic([] { return 1700000000; })->Stream(model, options);
  Streamed run;
  stream->Feed(upstream, &run.bytes);
  stream->Finish(cut, &run.bytes);
  const auto answer = ReadOpenAiChunks(run.bytes, include_usage);
  EXPECT_TRUE(answer.ok()) << answer.status() << "\n" << run.bytes;
  if (answer.ok()) run.answer = *answer;
  run.failed = stream->failed();
  EXPECT_EQ(run.failed, !run.answer.error.empty());
  run.input_tokens = stream->input_tokens();
  run.output_tokens = stream->output_tokens();
  return run;
}

TEST(OpenAiToAnthropicStream, TextByteForByte) {
  const Streamed run = Stream(MessageStart() + BlockStart(0, kTextBlock) + Event("ping") + TextDelta(0, "Hello") +
                                  TextDelta(0, "!") + BlockStop(0) + MessageDelta("end_turn") + Event("message_stop"),
                              /*include_usage=*/true);
  const std::string head =
      R"(data: {"id":"msg_1","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":)";
  EXPECT_EQ(run.bytes,
            head +
                R"([{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null})"
                "\n\n" +
                head +
                R"([{"index":0,"delta":{"content":"Hello"},"finish_reason":null}],"usage":null})"
                "\n\n" +
                head +
                R"([{"index":0,"delta":{"content":"!"},"finish_reason":null}],"usage":null})"
                "\n\n" +
                head +
                R"([{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null})"
                "\n\n" +
                head +
                R"([],"usage":{"prompt_tokens":125,"completion_tokens":15,"total_tokens":140,)"
                R"("prompt_tokens_details":{"cached_tokens":100}}})"
                "\n\n"
                "data: [DONE]\n\n");
  EXPECT_EQ(run.input_tokens, 125U);
  EXPECT_EQ(run.output_tokens, 15U);
}

TEST(OpenAiToAnthropicStream, NoUsageUnlessAsked) {
  const Streamed run = Stream(MessageStart() + MessageDelta("end_turn") + Event("message_stop"));
  EXPECT_EQ(run.bytes.find("usage"), run.bytes.npos);
  EXPECT_TRUE(run.answer.done);
  EXPECT_EQ(run.output_tokens, 15U);
}

TEST(OpenAiToAnthropicStream, EachEventGoesOutAtOnce) {
  const auto stream = MakeOpenAiToAnthropic()->Stream("m", {});
  std::string out;
  stream->Feed(MessageStart(), &out);
  stream->Feed(BlockStart(0, kTextBlock), &out);
  const std::string delta = TextDelta(0, "word");
  stream->Feed(delta.substr(0, delta.size() - 1), &out);
  EXPECT_EQ(out.find("word"), out.npos);
  stream->Feed("\n", &out);
  EXPECT_NE(out.find("word"), out.npos);
}

TEST(OpenAiToAnthropicStream, ThinkingTextAndToolsInOneAnswer) {
  const Streamed run =
      Stream(MessageStart() + BlockStart(0, R"({"type":"thinking","thinking":"","signature":""})") +
             BlockDelta(0, R"({"type":"thinking_delta","thinking":"Hm."})") +
             BlockDelta(0, R"({"type":"signature_delta","signature":"abc"})") + BlockStop(0) +
             BlockStart(1, R"({"type":"redacted_thinking","data":"xyz"})") + BlockStop(1) + BlockStart(2, kTextBlock) +
             TextDelta(2, "Let me see") + BlockStop(2) +
             BlockStart(3, R"({"type":"tool_use","id":"toolu_1","name":"weather","input":{}})") +
             ArgumentsDelta(3, "") + ArgumentsDelta(3, R"({\"city\":)") + ArgumentsDelta(3, R"( \"Paris\"})") +
             BlockStop(3) + BlockStart(4, R"({"type":"tool_use","id":"toolu_2","name":"clock","input":{}})") +
             BlockStop(4) + MessageDelta("tool_use") + Event("message_stop"));
  EXPECT_EQ(run.answer.reasoning, "Hm.");
  EXPECT_EQ(run.answer.text, "Let me see");
  ASSERT_EQ(run.answer.calls.size(), 2U);
  EXPECT_EQ(run.answer.calls[0].id, "toolu_1");
  EXPECT_EQ(run.answer.calls[0].name, "weather");
  EXPECT_EQ(run.answer.calls[0].arguments, R"({"city": "Paris"})");
  EXPECT_EQ(run.answer.calls[1].arguments, "{}");
  EXPECT_EQ(run.answer.finish_reason, "tool_calls");
}

TEST(OpenAiToAnthropicStream, InterleavedToolsKeepTheirArguments) {
  const Streamed run = Stream(MessageStart() + BlockStart(0, R"({"type":"tool_use","id":"a","name":"f","input":{}})") +
                              BlockStart(5, R"({"type":"tool_use","id":"b","name":"g","input":{"whole":true}})") +
                              ArgumentsDelta(0, R"({\"x\")") + BlockStop(5) + ArgumentsDelta(0, ":1}") +
                              MessageDelta("tool_use") + Event("message_stop"));
  ASSERT_EQ(run.answer.calls.size(), 2U);
  EXPECT_EQ(run.answer.calls[0].arguments, R"({"x":1})");
  EXPECT_EQ(run.answer.calls[1].arguments, R"({"whole":true})");
}

TEST(OpenAiToAnthropicStream, ServerToolsAreLeftOut) {
  const Streamed run =
      Stream(MessageStart() + BlockStart(0, R"({"type":"server_tool_use","id":"s","name":"web_search","input":{}})") +
             ArgumentsDelta(0, R"({\"query\":1})") + BlockStop(0) + BlockStart(1, kTextBlock) + TextDelta(1, "found") +
             BlockDelta(1, R"({"type":"citations_delta","citation":{}})") + BlockStop(1) + MessageDelta("end_turn") +
             Event("message_stop"));
  EXPECT_TRUE(run.answer.calls.empty());
  EXPECT_EQ(run.answer.text, "found");
}

TEST(OpenAiToAnthropicStream, WhatIsDroppedIsNotedOnce) {
  const auto stream = MakeOpenAiToAnthropic()->Stream("m", {});
  std::string out;
  stream->Feed(MessageStart() + BlockStart(0, kTextBlock) + TextDelta(0, "a"), &out);
  EXPECT_TRUE(stream->notes().empty());
  for (int i = 0; i < 2; ++i) {
    stream->Feed(BlockDelta(0, R"({"type":"signature_delta","signature":"s"})") +
                     BlockStart(1, R"({"type":"server_tool_use","id":"x","name":"y"})"),
                 &out);
  }
  EXPECT_EQ(stream->notes(), Notes{"content: a signature_delta was dropped"});
}

TEST(OpenAiToAnthropicStream, FinishReasons) {
  for (const auto& [stop_reason, expected] :
       std::vector<std::pair<std::string, std::string>>{{"end_turn", "stop"},
                                                        {"stop_sequence", "stop"},
                                                        {"pause_turn", "stop"},
                                                        {"max_tokens", "length"},
                                                        {"tool_use", "tool_calls"},
                                                        {"refusal", "content_filter"}}) {
    EXPECT_EQ(Stream(MessageStart() + MessageDelta(stop_reason) + Event("message_stop")).answer.finish_reason,
              expected);
  }
}

TEST(OpenAiToAnthropicStream, AMissingMessageStopIsNoHarm) {
  EXPECT_TRUE(Stream(MessageStart() + MessageDelta("end_turn")).answer.done);
  EXPECT_TRUE(Stream(MessageStart() + Event("message_stop")).answer.done);
  const std::string unfinished = Event("message_stop");
  EXPECT_TRUE(Stream(MessageStart() + unfinished.substr(0, unfinished.size() - 1)).answer.done);
}

TEST(OpenAiToAnthropicStream, ACutIsAnError) {
  const std::string begun = MessageStart() + BlockStart(0, kTextBlock) + TextDelta(0, "Hel");
  for (const bool cut : {false, true}) {
    const Streamed run = Stream(begun, false, cut);
    EXPECT_EQ(run.answer.text, "Hel");
    EXPECT_TRUE(run.failed);
    EXPECT_EQ(run.bytes.find("[DONE]"), run.bytes.npos);
  }
  EXPECT_TRUE(Stream("", false, false).failed);
  EXPECT_FALSE(Stream(MessageStart() + MessageDelta("end_turn"), false, true).failed) << "all of it was said";
  EXPECT_FALSE(Stream(MessageStart() + MessageDelta("end_turn") + Event("message_stop"), false, true).failed);
}

TEST(OpenAiToAnthropicStream, AnErrorEventEndsTheStreamInItsOwnWords) {
  const std::string error = Event("error", R"(,"error":{"type":"overloaded_error","message":"Overloaded"})");
  const Streamed run = Stream(MessageStart() + BlockStart(0, kTextBlock) + TextDelta(0, "Hel") + error +
                              TextDelta(0, "lo") + MessageDelta("end_turn") + Event("message_stop"));
  EXPECT_EQ(run.answer.error, "Overloaded");
  EXPECT_EQ(run.answer.text, "Hel");
  EXPECT_NE(run.bytes.find(R"("type":"overloaded_error","param":null,"code":"service_unavailable")"), run.bytes.npos);
  EXPECT_EQ(Stream(error).answer.error, "Overloaded");
}

TEST(OpenAiToAnthropicStream, WhatIsNoJsonIsAnError) {
  EXPECT_TRUE(Stream(MessageStart() + "data: {\"type\":\n\n").failed);
  EXPECT_TRUE(Stream("data: 1\n\n").failed);
  EXPECT_FALSE(Stream(MessageStart() + ": comment\n\nevent: ping\ndata: \n\n" + Event("something_new") +
                      MessageDelta("end_turn") + Event("message_stop") + "data: [DONE]\n\n")
                   .failed);
}

TEST(OpenAiToAnthropicStream, NothingFollowsTheEnd) {
  const std::string all = MessageStart() + MessageDelta("end_turn") + Event("message_stop");
  EXPECT_EQ(Stream(all).bytes, Stream(all + all + TextDelta(0, "more")).bytes);
  EXPECT_EQ(
      Stream(MessageStart() + MessageDelta("end_turn") + TextDelta(0, "more") + Event("message_stop")).answer.text, "");
}

TEST(OpenAiToAnthropicStream, TheUpstreamsModelStandsInForNone) {
  EXPECT_NE(Stream(MessageStart() + Event("message_stop"), false, false, "").bytes.find(R"("model":"claude-x")"),
            std::string::npos);
}

}  // namespace
}  // namespace ccr::proxy
