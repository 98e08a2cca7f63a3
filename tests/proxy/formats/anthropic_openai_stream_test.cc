#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "pairs.h"
#include "tests/proxy/formats/validators.h"

namespace ccr::proxy {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

std::string Delta(std::string_view delta) {
  return R"({"id":"c1","model":"up","choices":[{"index":0,"delta":)" + std::string(delta) +
         R"(,"finish_reason":null}]})";
}

std::string StopChunk(std::string_view reason) {
  return R"({"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":")" + std::string(reason) + R"("}]})";
}

std::string Call(int index, std::string_view fields) {
  return Delta(R"({"tool_calls":[{"index":)" + std::to_string(index) + "," + std::string(fields) + "}]}");
}

std::string Arguments(int index, std::string_view escaped) {
  return Call(index, R"("function":{"arguments":")" + std::string(escaped) + R"("})");
}

const char kDone[] = "[DONE]";
const char kUsage[] =
    R"({"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":8}}})";

class AnthropicOpenAiStream : public testing::Test {
 protected:
  // Feeds each chunk in its own event, then ends the stream.
  std::string Run(const std::vector<std::string>& chunks, bool cut = false, const StreamOptions& options = {}) {
    stream_ = MakeAnthropicToOpenAi()->Stream("shown", options);
    std::string out;
    for (const std::string& chunk : chunks) stream_->Feed("data: " + chunk + "\n\n", &out);
    stream_->Finish(cut, &out);
    answer_ = {};
    EXPECT_EQ(CheckAnthropicStream(out, &answer_), "");
    EXPECT_EQ(stream_->failed(), !answer_.error.empty());
    return Unmarked(out);
  }

  std::unique_ptr<StreamTranslator> stream_;
  AnthropicAnswer answer_;
};

TEST_F(AnthropicOpenAiStream, TranslatesText) {
  EXPECT_EQ(Run({Delta(R"({"role":"assistant","content":""})"), Delta(R"({"content":"Hel"})"),
                 Delta(R"({"content":"lo \"you\""})"), StopChunk("stop"), kUsage, kDone}),
            R"(event: message_start
data: {"type":"message_start","message":{"id":"c1","type":"message","role":"assistant","model":"shown","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo \"you\""}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":12,"cache_creation_input_tokens":0,"cache_read_input_tokens":8,"output_tokens":5}}

event: message_stop
data: {"type":"message_stop"}

)");
  EXPECT_EQ(stream_->input_tokens(), 20u);
  EXPECT_EQ(stream_->output_tokens(), 5u);
}

TEST_F(AnthropicOpenAiStream, StartsWithTheFirstChunkAndWritesEachDeltaAtOnce) {
  const auto stream = MakeAnthropicToOpenAi()->Stream("", {});
  std::string out;
  stream->Feed("data: " + Delta(R"({"role":"assistant"})") + "\n\n", &out);
  EXPECT_THAT(out, HasSubstr(R"("model":"up")"));
  out.clear();
  stream->Feed("data: " + Delta(R"({"content":"a"})") + "\n\n", &out);
  EXPECT_THAT(out, HasSubstr(R"("text":"a")"));
  out.clear();
  stream->Feed("data: " + Call(0, R"("id":"t","function":{"name":"A","arguments":""})") + "\n\n", &out);
  stream->Feed("data: " + Arguments(0, "{\\\"a\\\"") + "\n\n", &out);  // until then its id may get to carry state
  EXPECT_THAT(Unmarked(out),
              HasSubstr(R"("index":1,"content_block":{"type":"tool_use","id":"t","name":"A","input":{}})"));
  out.clear();
  stream->Feed("data: " + Arguments(0, ":1}") + "\n\n", &out);
  EXPECT_THAT(out, HasSubstr("content_block_stop"));
}

TEST_F(AnthropicOpenAiStream, PutsThinkingBeforeText) {
  Run({Delta(R"({"reasoning_content":"h"})"), Delta(R"({"reasoning":"m"})"),
       Delta(R"({"content":"a","reasoning":null})"), StopChunk("stop"), kDone});
  ASSERT_THAT(answer_.blocks, SizeIs(2));
  EXPECT_EQ(answer_.blocks[0].type, "thinking");
  EXPECT_EQ(answer_.blocks[0].text, "hm");
  EXPECT_EQ(answer_.blocks[1].text, "a");
}

TEST_F(AnthropicOpenAiStream, HoldsWhatBelongsToALaterBlock) {
  Run({Call(0, R"("id":"t0","function":{"name":"A","arguments":"{\"a\":"})"),
       Call(1, R"("id":"t1","function":{"name":"B","arguments":"{\"b\""})"), Delta(R"({"content":"text"})"),
       Arguments(0, "1}"), Arguments(1, ":2}"), StopChunk("tool_calls"), kDone});
  ASSERT_THAT(answer_.blocks, SizeIs(3));
  EXPECT_EQ(answer_.blocks[0].text, R"({"a":1})");
  EXPECT_EQ(answer_.blocks[1].text, R"({"b":2})");
  EXPECT_EQ(answer_.blocks[2].text, "text");
  EXPECT_EQ(answer_.stop_reason, "tool_use");
}

TEST_F(AnthropicOpenAiStream, WaitsForLateNamesAndIds) {
  Run({Call(0, R"("function":{"arguments":"{\"a\""})"), Call(0, R"("function":{"name":"A","arguments":":"})"),
       Call(0, R"("id":"late","function":{"arguments":"1"})"), Arguments(0, "}"), StopChunk("tool_calls"), kDone});
  ASSERT_THAT(answer_.blocks, SizeIs(1));
  EXPECT_EQ(answer_.blocks[0].name, "A");
  EXPECT_THAT(answer_.blocks[0].id, StartsWith("late_ccr"));
  EXPECT_EQ(answer_.blocks[0].text, R"({"a":1})");
}

TEST_F(AnthropicOpenAiStream, MakesUpIdsThatNeverCome) {
  Run({Call(0, R"("function":{"name":"A","arguments":"{}"})"),
       Call(1, R"("id":"","function":{"name":"B","arguments":""})"), StopChunk("stop"), kDone});
  ASSERT_THAT(answer_.blocks, SizeIs(2));
  EXPECT_EQ(answer_.blocks[1].text, "");
  EXPECT_EQ(answer_.stop_reason, "tool_use");
}

TEST_F(AnthropicOpenAiStream, GivesAnswersAndCallsIdsOfTheirOwn) {
  std::set<std::string> ids;
  for (const uint64_t seed : {1, 2}) {
    Run({Call(0, R"("id":"0","function":{"name":"A","arguments":"{}"})"),
         Call(1, R"("id":"0","function":{"name":"A","arguments":"{}"})"), StopChunk("tool_calls"), kDone},
        false, {.id_seed = seed});
    ASSERT_THAT(answer_.blocks, SizeIs(2));
    ids.insert({answer_.id, answer_.blocks[0].id, answer_.blocks[1].id});
  }
  EXPECT_THAT(ids, SizeIs(6));
}

TEST_F(AnthropicOpenAiStream, TellsCallsApartThatShareAnIndexOrHaveNone) {
  Run({Call(0, R"("id":"t0","function":{"name":"A","arguments":"{\"a\":1}"})"),
       Call(0, R"("id":"t1","function":{"name":"A","arguments":"{\"a\":2}"})"),
       Delta(R"({"tool_calls":[{"function":{"name":"B","arguments":"{"}}]})"),
       Delta(R"({"tool_calls":[{"function":{"arguments":"}"}}]})"),
       Delta(R"({"tool_calls":[{"function":{"name":"B","arguments":"{}"}}]})"), StopChunk("tool_calls"), kDone});
  ASSERT_THAT(answer_.blocks, SizeIs(4));
  EXPECT_EQ(answer_.blocks[1].text, R"({"a":2})");
  EXPECT_EQ(answer_.blocks[2].text, "{}");
  EXPECT_EQ(answer_.blocks[3].text, "{}");
}

TEST_F(AnthropicOpenAiStream, DropsArgumentsBehindCompleteOnes) {
  Run({Call(0, R"("id":"t0","function":{"name":"A","arguments":"{}"})"), Arguments(0, "{}"), StopChunk("tool_calls"),
       kDone});
  ASSERT_THAT(answer_.blocks, SizeIs(1));
  EXPECT_EQ(answer_.blocks[0].text, "{}");
}

TEST_F(AnthropicOpenAiStream, ReadsTheOldFunctionCall) {
  Run({Delta(R"({"function_call":{"name":"A","arguments":"{\"a\":"}})"),
       Delta(R"({"function_call":{"arguments":"1}"}})"), StopChunk("function_call"), kDone});
  ASSERT_THAT(answer_.blocks, SizeIs(1));
  EXPECT_EQ(answer_.blocks[0].text, R"({"a":1})");
  EXPECT_EQ(answer_.stop_reason, "tool_use");
}

TEST_F(AnthropicOpenAiStream, TakesUsageFromWhereverItComes) {
  const std::string usage = R"("usage":{"prompt_tokens":3,"completion_tokens":2})";
  Run({Delta(R"({"content":"a"})"), R"({"choices":[{"delta":{},"finish_reason":"stop"}],)" + usage + "}", kDone});
  EXPECT_EQ(answer_.input_tokens, 3u);
  EXPECT_EQ(answer_.output_tokens, 2u);
  const auto stream = MakeAnthropicToOpenAi()->Stream("", {});
  std::string out;
  stream->Feed("data: " + StopChunk("stop") + "\n\ndata: {\"choices\":[]," + usage + "}\n\ndata: [DONE]\n\n", &out);
  answer_ = {};
  EXPECT_EQ(CheckAnthropicStream(out, &answer_), "");
  EXPECT_EQ(answer_.input_tokens, 3u);
}

TEST_F(AnthropicOpenAiStream, EndsProperlyWithoutDoneOrFinishReason) {
  Run({Delta(R"({"content":"a"})"), StopChunk("length")});
  EXPECT_EQ(answer_.stop_reason, "max_tokens");
  Run({Delta(R"({"content":"a"})"), StopChunk("stop")}, true);
  EXPECT_EQ(answer_.stop_reason, "end_turn");
  Run({Delta(R"({"content":"a"})"), kDone});
  EXPECT_EQ(answer_.stop_reason, "end_turn");
}

TEST_F(AnthropicOpenAiStream, AFinishReasonAloneIsAMessage) {
  Run({StopChunk("stop"), kDone});
  EXPECT_THAT(answer_.blocks, SizeIs(0));
  EXPECT_EQ(answer_.stop_reason, "end_turn");
}

TEST_F(AnthropicOpenAiStream, ABrokenStreamEndsWithAnError) {
  const std::string out = Run({Delta(R"({"content":"a"})")}, true);
  EXPECT_THAT(answer_.error, HasSubstr("broke off"));
  EXPECT_THAT(out, Not(HasSubstr("message_stop")));
  Run({Delta(R"({"content":"a"})")}, false);
  EXPECT_THAT(answer_.error, HasSubstr("broke off"));
}

TEST_F(AnthropicOpenAiStream, NoAnswerAtAllIsAnError) {
  Run({});
  EXPECT_THAT(answer_.error, HasSubstr("without an answer"));
  Run({kDone});
  EXPECT_THAT(answer_.error, HasSubstr("without an answer"));
  Run({"not json"});
  EXPECT_THAT(answer_.error, HasSubstr("no JSON"));
}

TEST_F(AnthropicOpenAiStream, ErrorsOfTheUpstreamEndTheStream) {
  const std::string out = Run(
      {Delta(R"({"content":"a"})"),
       R"({"id":"c1","error":{"code":429,"message":"Slow down"},"choices":[{"delta":{"content":""},"finish_reason":"error"}]})",
       Delta(R"({"content":"b"})"), StopChunk("stop"), kDone});
  EXPECT_EQ(answer_.error, "rate_limit_error: Slow down");
  EXPECT_EQ(answer_.Joined("text"), "a");
  Run({R"({"error":{"type":"overloaded_error","message":"busy"}})"});
  EXPECT_EQ(answer_.error, "overloaded_error: busy");
  Run({R"({"error":"plain"})"});
  EXPECT_EQ(answer_.error, "api_error: plain");
  Run({Delta(R"({"content":"a"})"), StopChunk("error")});
  EXPECT_THAT(answer_.error, HasSubstr("api_error"));
}

TEST_F(AnthropicOpenAiStream, ReadsNamedErrorEvents) {
  const auto stream = MakeAnthropicToOpenAi()->Stream("", {});
  std::string out;
  stream->Feed("event: error\ndata: {\"message\":\"gone\"}\n\n", &out);
  EXPECT_EQ(CheckAnthropicStream(out, &answer_), "");
  EXPECT_EQ(answer_.error, "api_error: gone");
  EXPECT_TRUE(stream->failed());
}

TEST_F(AnthropicOpenAiStream, ACallWithoutANameIsAnError) {
  Run({Call(0, R"("id":"t0","function":{"arguments":"{}"})"), StopChunk("tool_calls"), kDone});
  EXPECT_THAT(answer_.error, HasSubstr("without a name"));
  Run({Delta(R"({"content":"a"})"), Arguments(0, ""), StopChunk("stop"), kDone});
  EXPECT_EQ(answer_.stop_reason, "end_turn");
}

TEST_F(AnthropicOpenAiStream, TellsRefusals) {
  Run({Delta(R"({"refusal":"No."})"), StopChunk("stop"), kDone});
  EXPECT_EQ(answer_.stop_reason, "refusal");
  EXPECT_EQ(answer_.Joined("text"), "No.");
}

TEST_F(AnthropicOpenAiStream, IgnoresOtherChoicesAndWhatFollowsTheEnd) {
  Run({Delta(R"({"content":"a"})"), R"({"choices":[{"index":1,"delta":{"content":"z"}}]})", StopChunk("stop"), kDone,
       Delta(R"({"content":"b"})"), kDone});
  EXPECT_EQ(answer_.Joined("text"), "a");
}

TEST_F(AnthropicOpenAiStream, HoldsNoMoreThanItsBound) {
  const std::string piece = Delta(R"({"content":")" + std::string(1 << 20, 'x') + R"("})");
  std::vector<std::string> chunks = {Call(0, R"("id":"t0","function":{"name":"A","arguments":"{"})")};
  for (size_t held = 0; held + (1 << 20) < StreamReader::kMaxHeldBytes; held += 1 << 20) chunks.push_back(piece);
  std::vector<std::string> fits = chunks;
  fits.insert(fits.end(), {Arguments(0, "}"), StopChunk("stop"), kDone});
  Run(fits);
  EXPECT_EQ(answer_.error, "");
  chunks.push_back(piece);
  Run(chunks);
  EXPECT_THAT(answer_.error, HasSubstr("held"));
}

}  // namespace
}  // namespace ccr::proxy
