// What OpenAI-compatible upstreams really send, and gateways are known to stumble over.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "pairs.h"
#include "proxy/formats/answer_id.h"
#include "tests/proxy/formats/validators.h"

namespace ccr::proxy {
namespace {

// "text:Hi tool:f/a{} end_turn": the blocks of the answer and its end.
std::string Summary(const AnthropicAnswer& answer) {
  std::string summary;
  for (const AnthropicBlock& block : answer.blocks) {
    summary += block.type == "tool_use"
                   ? "tool:" + block.name + "/" + std::string(UpstreamId(block.id)) + block.text + " "
                   : block.type + ":" + block.text + " ";
  }
  return summary + (answer.error.empty() ? answer.stop_reason : answer.error);
}

// The same whole and byte by byte.
std::string ReadStream(const std::string& stream) {
  std::string outs[2];
  for (const size_t step : {stream.size(), size_t{1}}) {
    const auto translator = MakeAnthropicToOpenAi()->Stream("m", {});
    std::string& out = outs[step == 1];
    for (size_t at = 0; at < stream.size(); at += step) translator->Feed(stream.substr(at, step), &out);
    translator->Finish(false, &out);
  }
  EXPECT_EQ(outs[0], outs[1]);
  AnthropicAnswer answer;
  EXPECT_EQ(CheckAnthropicStream(outs[0], &answer), "");
  return Summary(answer);
}

std::string Data(const std::vector<std::string>& chunks) {
  std::string stream;
  for (const std::string& chunk : chunks) stream += "data: " + chunk + "\n\n";
  return stream;
}

// Chunks of these members of the first choice, and [DONE].
std::string Choices(const std::vector<std::string>& members) {
  std::string stream;
  for (const std::string& member : members) stream += R"(data: {"id":"c","choices":[{"index":0,)" + member + "}]}\n\n";
  return stream + "data: [DONE]\n\n";
}

std::string Calls(std::string_view calls) {
  return R"("delta":{"tool_calls":[)" + std::string(calls) + "]}";
}

const char kStop[] = R"("delta":{},"finish_reason":"stop")";

TEST(UpstreamQuirks, CallsWithoutAnIndex) {
  EXPECT_EQ(
      ReadStream(Choices({Calls(R"({"id":"a","function":{"name":"f","arguments":""}})"),
                          Calls(R"({"function":{"arguments":"{\"x\""}})"), Calls(R"({"function":{"arguments":":1}"}})"),
                          Calls(R"({"id":"b","function":{"name":"g","arguments":"{}"}})"), kStop})),
      R"(tool:f/a{"x":1} tool:g/b{} tool_use)");
  EXPECT_EQ(ReadStream(Choices({Calls(R"({"id":"a","function":{"name":"f","arguments":"{}"}},)"
                                      R"({"id":"b","index":null,"function":{"name":"f","arguments":"{\"x\":1}"}})"),
                                kStop})),
            R"(tool:f/a{} tool:f/b{"x":1} tool_use)");
}

TEST(UpstreamQuirks, IndexAlwaysZero) {
  EXPECT_EQ(ReadStream(Choices({Calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}})"),
                                Calls(R"({"index":0,"function":{"arguments":":1}"}})"),
                                Calls(R"({"index":0,"id":"b","function":{"name":"f","arguments":"{\"x\""}})"),
                                Calls(R"({"index":0,"function":{"arguments":":2}"}})"), kStop})),
            R"(tool:f/a{"x":1} tool:f/b{"x":2} tool_use)");
}

TEST(UpstreamQuirks, ANewIdWithEachPiece) {
  EXPECT_EQ(ReadStream(Choices({Calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":""}})"),
                                Calls(R"({"index":0,"id":"b","function":{"arguments":"{\"x\""}})"),
                                Calls(R"({"index":0,"id":"c","function":{"name":null,"arguments":":1}"}})"), kStop})),
            R"(tool:f/a{"x":1} tool_use)");
}

TEST(UpstreamQuirks, WholeArgumentsOnceMore) {
  EXPECT_EQ(
      ReadStream(Choices({Calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}})"),
                          Calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}})"), kStop})),
      R"(tool:f/a{"x":1} tool_use)");
}

TEST(UpstreamQuirks, OneIdForSeveralCalls) {
  // The validator of Read sees to it that the client's ids differ.
  EXPECT_EQ(ReadStream(Choices({Calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{}"}})"),
                                Calls(R"({"index":1,"id":"a","function":{"name":"g","arguments":"{}"}})"), kStop})),
            "tool:f/a{} tool:g/a{} tool_use");
}

TEST(UpstreamQuirks, IdsThatAreNumbers) {
  EXPECT_THAT(ReadStream(Data({R"({"id":7,"choices":[{"delta":{"tool_calls":[{"index":0,"id":1,"function":)"
                               R"({"name":"f","arguments":"{}"}}]}}]})",
                               "[DONE]"})),
              testing::MatchesRegex(R"(tool:f/call_[0-9a-f]*\{\} tool_use)"));
}

TEST(UpstreamQuirks, FinishReasonsOfAllKinds) {
  EXPECT_EQ(ReadStream(Choices({R"("delta":{"role":"assistant","content":"a"},"finish_reason":"")",
                                R"("delta":{"role":"assistant","content":"b"},"finish_reason":"")",
                                R"("delta":{"role":"assistant","content":""},"finish_reason":"stop")"})),
            "text:ab end_turn");
  EXPECT_EQ(ReadStream(Choices({R"("delta":{"content":"a"},"finish_reason":null)"})), "text:a end_turn");
  EXPECT_EQ(ReadStream(Choices({R"("delta":{"content":"a"},"finish_reason":"stop")", R"("delta":{"content":"b"})"})),
            "text:ab end_turn");
  EXPECT_EQ(ReadStream(Choices({R"("delta":{"content":"a"},"finish_reason":"tool_calls")"})), "text:a end_turn");
  EXPECT_EQ(ReadStream(Choices({R"("delta":{"content":"a"},"finish_reason":"model_length")"})), "text:a max_tokens");
  EXPECT_EQ(ReadStream(Choices({R"("delta":{"content":"a"},"finish_reason":"insufficient_system_resource")"})),
            "text:a overloaded_error: the upstream broke its answer off: insufficient system resource");
}

TEST(UpstreamQuirks, ContentOfAllKinds) {
  EXPECT_EQ(ReadStream(Choices({R"("delta":{"content":null})", R"("delta":{"content":[]})",
                                R"("message":{"content":"a"})", R"("delta":null)", R"("logprobs":null)", kStop})),
            "text:a end_turn");
  EXPECT_EQ(
      ReadStream(Choices({R"("delta":{"reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm"}]})",
                          R"("delta":{"content":"a"})", R"("delta":{"reasoning_content":"more"})", kStop})),
      "thinking:hm text:a thinking:more end_turn");
}

TEST(UpstreamQuirks, ChunksThatSayNothing) {
  EXPECT_EQ(
      ReadStream(Data({R"({"id":"","model":"","choices":[],"prompt_filter_results":[]})", "{}", R"({"choices":null})",
                       R"({"choices":[null]})", R"({"choices":[{"delta":{"content":"a"}}],"usage":null})",
                       R"({"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{}})", "[DONE]"})),
      "text:a end_turn");
}

TEST(UpstreamQuirks, Lines) {
  const std::string a = R"({"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]})";
  EXPECT_EQ(ReadStream("\xEF\xBB\xBF"
                       "data:" +
                       a + "\r\rdata:[DONE]\r\r"),
            "text:a end_turn");
  EXPECT_EQ(ReadStream(": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\ndata: " + a + "\n\n"), "text:a end_turn");
  EXPECT_EQ(ReadStream("id: 1\nretry: 5\nevent: message\ndata: " + a + "\r\n\r\ndata:\n\ndata: [DONE]"),
            "text:a end_turn");
}

TEST(UpstreamQuirks, Errors) {
  EXPECT_EQ(
      ReadStream(Choices({R"("delta":{"content":"a"},"finish_reason":"error","error":{"code":429,"message":"slow"})"})),
      "text:a rate_limit_error: slow");
  EXPECT_EQ(ReadStream(Data({R"({"error":{"code":"rate_limit_exceeded","message":"slow"},"choices":[]})"})),
            "rate_limit_error: slow");
  EXPECT_EQ(ReadStream(Data({R"({"error":"out of memory"})"})), "api_error: out of memory");
  EXPECT_EQ(ReadStream("event: error\ndata: {\"message\":\"boom\"}\n\n"), "api_error: boom");
}

TEST(UpstreamQuirks, WhatIsDroppedFromAStreamIsNoted) {
  const auto translator = MakeAnthropicToOpenAi()->Stream("m", {});
  std::string out;
  translator->Feed(Choices({R"("delta":{"role":"assistant","content":"a","annotations":[],"audio":null})"}), &out);
  EXPECT_THAT(translator->notes(), testing::IsEmpty());
  const auto noting = MakeAnthropicToOpenAi()->Stream("m", {});
  const std::string audio = R"("delta":{"audio":{"data":"x"}})";
  const std::string call = Calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{}{}"}})");
  noting->Feed(R"(data: {"choices":[{"index":1}]})"
               "\n\n" +
                   Choices({audio, audio, call}),
               &out);
  EXPECT_THAT(noting->notes(), testing::ElementsAre("choices: all behind the first dropped", "audio: dropped",
                                                    "tool_calls.arguments: what follows complete ones dropped"));
}

}  // namespace
}  // namespace ccr::proxy
