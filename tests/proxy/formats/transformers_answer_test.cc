// What transformers make of answers, plain and streamed in any split.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "pairs.h"
#include "proxy/formats/edited_translation.h"
#include "proxy/formats/sse.h"
#include "tests/proxy/formats/openai_validators.h"
#include "tests/proxy/formats/validators.h"

namespace ccr::proxy {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Provider Using(const std::vector<std::string>& names) {
  Provider provider;
  for (const std::string& name : names) provider.transformers.push_back({name, "{}"});
  return provider;
}

std::string Answer(const std::vector<std::string>& names, std::string_view body) {
  const EditedTranslation edited(nullptr, TransformerChain(Using(names), "m"));
  Notes notes;
  return *edited.Response(body, &notes);
}

// A chunk of one choice.
std::string Chunk(const std::string& delta, const std::string& finish = "null") {
  return R"(data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":)" +
         delta + R"(,"finish_reason":)" + finish + "}]}\n\n";
}
std::string CallDelta(int index, const std::string& more) {
  return R"({"tool_calls":[{"index":)" + std::to_string(index) + "," + more + "}]}";
}
std::string Named(int index, const std::string& name, const std::string& arguments = "") {
  return Chunk(CallDelta(index, R"("id":"t)" + std::to_string(index) + R"(","type":"function","function":{"name":")" +
                                    name + R"(","arguments":)" + ToJson(json::value(arguments)) + "}"));
}
std::string ArgumentsPiece(int index, const std::string& piece) {
  return Chunk(CallDelta(index, R"("function":{"arguments":)" + ToJson(json::value(piece)) + "}"));
}
const std::string kRole = Chunk(R"({"role":"assistant","content":""})");
const std::string kEnd = Chunk("{}", R"("tool_calls")");
const std::string kDoneEvent = "data: [DONE]\n\n";

std::string Through(const Translation& translation, std::string_view stream, size_t piece, bool cut = false) {
  const std::unique_ptr<StreamTranslator> translator = translation.Stream("m", {});
  std::string out;
  for (size_t at = 0; at < stream.size(); at += piece) translator->Feed(stream.substr(at, piece), &out);
  if (!translator->failed()) translator->Finish(cut, &out);
  return out;
}

// To a client of OpenAI's; the same whatever the split.
ChunkedAnswer Chunks(const std::vector<std::string>& names, const std::string& stream) {
  const EditedTranslation edited(nullptr, TransformerChain(Using(names), "m"));
  const std::string whole = Through(edited, stream, stream.size());
  for (const size_t piece : {1U, 2U, 3U, 7U, 64U}) EXPECT_EQ(Through(edited, stream, piece), whole) << piece;
  const absl::StatusOr<ChunkedAnswer> answer = ReadOpenAiChunks(whole, false);
  EXPECT_TRUE(answer.ok()) << answer.status() << whole;
  return answer.value_or(ChunkedAnswer());
}

// To a client of Anthropic's.
AnthropicAnswer EventsOf(const std::vector<std::string>& names, const std::string& stream) {
  const std::unique_ptr<Translation> inner = MakeAnthropicToOpenAi();
  const EditedTranslation edited(inner.get(), TransformerChain(Using(names), "m"));
  AnthropicAnswer answer;
  for (const size_t piece : {1U, 5U, 100000U}) {
    answer = AnthropicAnswer();
    EXPECT_EQ(CheckAnthropicStream(Through(edited, stream, piece), &answer), "") << piece;
  }
  return answer;
}

TEST(EnhanceTool, RepairsAPlainAnswer) {
  const std::string edited =
      Answer({"enhancetool"},
             R"({"choices":[{"message":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{a:1,}"}}]}}]})");
  EXPECT_THAT(edited, HasSubstr(R"("arguments":"{\"a\":1}")"));
}

TEST(EnhanceTool, RepairsAStreamOfParallelCalls) {
  const std::string stream = kRole + Named(0, "f", "{'pa") + Named(1, "g") + ArgumentsPiece(0, "th': 'a b',") +
                             ArgumentsPiece(1, R"({"x": 1.50})") + ArgumentsPiece(0, "}") + kEnd + kDoneEvent;
  const ChunkedAnswer answer = Chunks({"enhancetool"}, stream);
  ASSERT_EQ(answer.calls.size(), 2U);
  EXPECT_EQ(answer.calls[0].arguments, R"({"path":"a b"})");
  EXPECT_EQ(answer.calls[1].arguments, R"({"x": 1.50})") << "what is right stays byte for byte";
  EXPECT_EQ(answer.finish_reason, "tool_calls");
  const AnthropicAnswer events = EventsOf({"enhancetool"}, stream);
  ASSERT_EQ(events.blocks.size(), 2U);
  EXPECT_EQ(events.blocks[0].text, R"({"path":"a b"})");
  EXPECT_EQ(events.stop_reason, "tool_use");
}

TEST(EnhanceTool, LetsTextThroughAtOnceAndEndsWithoutAFinishReason) {
  const EditedTranslation edited(nullptr, TransformerChain(Using({"enhancetool"}), "m"));
  const std::unique_ptr<StreamTranslator> stream = edited.Stream("m", {});
  std::string out;
  stream->Feed(Chunk(R"({"content":"hi"})"), &out);
  EXPECT_THAT(out, HasSubstr(R"("content":"hi")"));
  stream->Feed(Named(0, "f", "{a:"), &out);
  EXPECT_THAT(out, Not(HasSubstr("{a:")));
  stream->Feed(kDoneEvent, &out);
  EXPECT_THAT(out, HasSubstr(R"("arguments":"{\"a\":null}")"));
  EXPECT_TRUE(out.ends_with(kDoneEvent));
}

TEST(ToolUse, ExitBecomesTheTextOfAPlainAnswer) {
  const std::string edited = Answer(
      {"tooluse"},
      R"({"choices":[{"message":{"content":null,"tool_calls":[{"id":"a","function":{"name":"ExitTool","arguments":"{\"response\":\"bye\"}"}}]},"finish_reason":"tool_calls"}]})");
  EXPECT_EQ(edited, R"({"choices":[{"message":{"content":"bye"},"finish_reason":"stop"}]})");
}

TEST(ToolUse, OtherCallsStay) {
  const std::string body =
      R"({"choices":[{"message":{"content":"","tool_calls":[{"id":"a","function":{"name":"ExitTool","arguments":"oops"}},)"
      R"({"id":"b","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]})";
  EXPECT_EQ(
      Answer({"tooluse"}, body),
      R"({"choices":[{"message":{"content":"oops","tool_calls":[{"id":"b","function":{"name":"f","arguments":"{}"}}]},)"
      R"("finish_reason":"tool_calls"}]})");
}

TEST(ToolUse, ExitStreamsAsText) {
  const std::string text = "one \"two\"\n\xE6\xBC\xA2 \xF0\x9F\x98\x80";
  const std::string arguments = R"({ "response" : "one \"two\"\n\u6f22 \ud83d\ude00"})";
  for (size_t piece = 1; piece <= arguments.size(); piece += 3) {
    std::string stream = kRole + Named(0, "ExitTool");
    for (size_t at = 0; at < arguments.size(); at += piece) stream += ArgumentsPiece(0, arguments.substr(at, piece));
    stream += kEnd + kDoneEvent;
    const ChunkedAnswer answer = Chunks({"tooluse"}, stream);
    EXPECT_EQ(answer.text, text) << piece;
    EXPECT_EQ(answer.finish_reason, "stop");
    EXPECT_TRUE(answer.calls.empty());
    const AnthropicAnswer events = EventsOf({"tooluse"}, stream);
    EXPECT_EQ(events.Joined("text"), text);
    EXPECT_EQ(events.stop_reason, "end_turn");
  }
}

TEST(ToolUse, ExitAmongOtherCalls) {
  const std::string stream = kRole + Named(0, "ExitTool", R"({"resp)") + ArgumentsPiece(0, R"(onse":"bye"})") +
                             Named(1, "f", R"({"a":1})") + kEnd + kDoneEvent;
  const ChunkedAnswer answer = Chunks({"tooluse"}, stream);
  EXPECT_EQ(answer.text, "bye");
  ASSERT_EQ(answer.calls.size(), 1U) << "renumbered from 0";
  EXPECT_EQ(answer.calls[0].name, "f");
  EXPECT_EQ(answer.finish_reason, "tool_calls");
}

TEST(ToolUse, ExitsThatShareAnIndexAreOneGap) {
  const std::string stream = kRole + Named(0, "ExitTool", R"({"response":"a"})") +
                             Named(0, "ExitTool", R"({"response":"b"})") + Named(1, "f", "{}") + kEnd + kDoneEvent;
  const ChunkedAnswer answer = Chunks({"tooluse"}, stream);
  EXPECT_EQ(answer.text, "ab");
  ASSERT_EQ(answer.calls.size(), 1U);
  EXPECT_EQ(answer.calls[0].name, "f");
  EXPECT_THAT(Through(EditedTranslation(nullptr, TransformerChain(Using({"tooluse"}), "m")), stream, stream.size()),
              HasSubstr(R"("tool_calls":[{"index":0,)"));
}

TEST(ToolUse, BrokenArgumentsComeAtTheEnd) {
  const std::string stream = kRole + Named(0, "ExitTool", "{response: 'bye'") + kEnd + kDoneEvent;
  EXPECT_EQ(Chunks({"tooluse"}, stream).text, "bye");
  EXPECT_EQ(Chunks({"tooluse", "enhancetool"}, stream).text, "bye");
}

TEST(OpenRouter, ErrorInMidStream) {
  const std::string error = R"(data: {"id":"c1","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error",)"
                            R"("error":{"code":502,"message":"gone away"}}]})"
                            "\n\n";
  const AnthropicAnswer events = EventsOf({"openrouter"}, Chunk(R"({"content":"a"})") + error);
  EXPECT_THAT(events.error, HasSubstr("gone away"));
}

TEST(OpenRouter, ReasoningBecomesThinking) {
  const AnthropicAnswer events = EventsOf({"openrouter"}, Chunk(R"({"reasoning":"hm"})") + Chunk(R"({"content":"a"})") +
                                                              Chunk("{}", R"("stop")") + kDoneEvent);
  EXPECT_EQ(events.Joined("thinking"), "hm");
  EXPECT_EQ(events.Joined("text"), "a");
}

TEST(NumericIds, GetThePrefixOfTheAnswer) {
  const std::string stream =
      kRole + Chunk(CallDelta(0, R"("id":"0","type":"function","function":{"name":"f","arguments":"{}"})")) + kEnd +
      kDoneEvent;
  for (const char* name : {"groq", "openrouter"}) {
    const ChunkedAnswer answer = Chunks({name}, stream);
    ASSERT_EQ(answer.calls.size(), 1U);
    EXPECT_EQ(answer.calls[0].id, "call_c1_0");
  }
  EXPECT_THAT(Answer({"groq"}, R"({"id":"r","choices":[{"message":{"tool_calls":[{"id":"7"},{"id":"x"}]}}]})"),
              HasSubstr(R"([{"id":"call_r_7"},{"id":"x"}])"));
}

TEST(EditedStream, PassesWhatIsNoChunk) {
  const std::string stream =
      ": comment\n\nevent: other\ndata: {\"a\": 1}\n\ndata: nonsense\n\ndata: {\"error\":{\"message\":\"x\"}}\n\n";
  const EditedTranslation edited(nullptr, TransformerChain(Using({"enhancetool"}), "m"));
  EXPECT_EQ(Through(edited, stream, 3),
            "event: other\ndata: {\"a\": 1}\n\ndata: nonsense\n\ndata: {\"error\":{\"message\":\"x\"}}\n\n");
}

TEST(EditedStream, ACutStreamEndsWithAnError) {
  const EditedTranslation edited(nullptr, TransformerChain(Using({"enhancetool"}), "m"));
  const std::string out = Through(edited, Named(0, "f", "{a:1"), 10, true);
  EXPECT_THAT(out, Not(HasSubstr("{a:1"))) << "half a call is none";
  EXPECT_THAT(out, HasSubstr(R"("error")"));
  const std::unique_ptr<Translation> inner = MakeAnthropicToOpenAi();
  const EditedTranslation translated(inner.get(), TransformerChain(Using({"enhancetool"}), "m"));
  AnthropicAnswer answer;
  EXPECT_EQ(CheckAnthropicStream(Through(translated, kRole + Named(0, "f", "{a:1"), 10, true), &answer), "");
  EXPECT_NE(answer.error, "");
}

TEST(EditedStream, AnEventBeyondAllBoundsIsAnError) {
  const EditedTranslation edited(nullptr, TransformerChain(Using({"enhancetool"}), "m"));
  const std::unique_ptr<StreamTranslator> stream = edited.Stream("m", {});
  std::string out;
  stream->Feed("data: " + std::string(SseParser::kMaxEventBytes + 1, 'x'), &out);
  EXPECT_TRUE(stream->failed());
  EXPECT_THAT(out, HasSubstr(R"("error")"));
}

TEST(EditedTranslation, ErrorsAndOtherBodiesPass) {
  const EditedTranslation edited(nullptr, TransformerChain(Using({"tooluse"}), "m"));
  EXPECT_EQ(edited.Error(500, "x y"), "x y");
  EXPECT_EQ(Answer({"tooluse"}, "no json"), "no json");
}

}  // namespace
}  // namespace ccr::proxy
