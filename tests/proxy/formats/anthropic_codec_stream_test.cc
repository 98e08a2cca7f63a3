#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/formats/anthropic/codec.h"
#include "proxy/formats/json_util.h"
#include "tests/proxy/formats/validators.h"

namespace ccr::proxy::anthropic::stream_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

std::string Event(const std::string& type, const std::string& rest = "") {
  return "event: " + type + "\ndata: {\"type\":\"" + type + "\"" + rest + "}\n\n";
}

std::string MessageStart() {
  return Event("message_start", R"(,"message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x",)"
                                R"("content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,)"
                                R"("cache_creation_input_tokens":0,"cache_read_input_tokens":100,"output_tokens":1}})");
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

std::string MessageEnd(const std::string& stop_reason) {
  return Event("message_delta",
               R"(,"delta":{"stop_reason":")" + stop_reason +
                   R"(","stop_sequence":null},"usage":{"input_tokens":25,)"
                   R"("cache_creation_input_tokens":0,"cache_read_input_tokens":100,"output_tokens":15})") +
         Event("message_stop");
}

const char kTextBlock[] = R"({"type":"text","text":""})";
const char kThinkingBlock[] = R"({"type":"thinking","thinking":"","signature":""})";
const char kCallBlock[] = R"({"type":"tool_use","id":"t1","name":"A","input":{}})";

// All that a stream can hold.
std::string Whole() {
  return MessageStart() + BlockStart(0, kThinkingBlock) +
         BlockDelta(0, R"({"type":"thinking_delta","thinking":"Hm."})") +
         BlockDelta(0, R"({"type":"signature_delta","signature":"sig"})") + BlockStop(0) +
         BlockStart(1, R"({"type":"redacted_thinking","data":"xyz"})") + BlockStop(1) + BlockStart(2, kTextBlock) +
         TextDelta(2, "Let me ") + TextDelta(2, "see") + BlockStop(2) +
         BlockStart(3, R"({"type":"server_tool_use","id":"s","name":"web_search","input":{"q":1}})") + BlockStop(3) +
         BlockStart(4, kCallBlock) + ArgumentsDelta(4, R"({\"city\":)") + ArgumentsDelta(4, R"( \"Paris\"})") +
         BlockStop(4) + MessageEnd("tool_use");
}

AnswerCollector Read(std::string_view stream, bool cut = false, size_t piece = std::string::npos) {
  AnswerCollector answer;
  const std::unique_ptr<StreamReader> reader = Codec().ReadStream();
  for (size_t begin = 0; begin < stream.size(); begin += std::min(piece, stream.size()))
    reader->Feed(stream.substr(begin, piece), &answer);
  reader->Finish(cut, &answer);
  EXPECT_NE(answer.ended(), answer.failed());
  return answer;
}

// Drives a writer, and checks what it writes by the book.
class Writing {
 public:
  explicit Writing(const AnswerContext& context = {}) : writer_(Codec().WriteStream(context)) {
    writer_->WriteTo(&out_);
  }

  StreamWriter& sink() { return *writer_; }
  std::string All() {
    answer_ = {};
    EXPECT_EQ(CheckAnthropicStream(out_, &answer_), "") << out_;
    return Unmarked(out_);
  }
  const AnthropicAnswer& Check() {
    All();
    return answer_;
  }
  // What was written since.
  std::string New() {
    const std::string news = out_.substr(last_);
    last_ = out_.size();
    return Unmarked(news);
  }

 private:
  std::unique_ptr<StreamWriter> writer_;
  std::string out_;
  size_t last_ = 0;
  AnthropicAnswer answer_;
};

const PartHead kText{};
const PartHead kThinking{PartKind::kThinking, {}, {}, false};

PartHead CallHead(std::string_view id, std::string_view name = "A") {
  return {PartKind::kToolCall, id, name, false};
}

TEST(AnthropicCodecStream, ReadsAllThatAStreamHolds) {
  for (const size_t piece : {std::string::npos, size_t{1}, size_t{7}}) {
    AnswerCollector read = Read(Whole(), false, piece);
    ASSERT_TRUE(read.ended());
    const ModelAnswer answer = read.Take();
    EXPECT_EQ(answer.id, "msg_1");
    EXPECT_EQ(answer.model, "claude-x");
    ASSERT_THAT(answer.parts, SizeIs(5));
    EXPECT_EQ(answer.parts[0].text, "Hm.");
    EXPECT_THAT(answer.parts[0].state, ElementsAre(OpaqueState{StateKind::kAnthropicSignature, "sig"}));
    EXPECT_EQ(answer.parts[1].kind, PartKind::kThinking);
    EXPECT_THAT(answer.parts[1].state, ElementsAre(OpaqueState{StateKind::kAnthropicRedacted, "xyz"}));
    EXPECT_EQ(answer.parts[2].text, "Let me see");
    EXPECT_EQ(ToJson(answer.parts[3].own),
              R"({"type":"server_tool_use","id":"s","name":"web_search","input":{"q":1}})");
    EXPECT_EQ(answer.parts[4].id, "t1");
    EXPECT_EQ(answer.parts[4].text, R"({"city": "Paris"})");
    EXPECT_EQ(answer.stop.cause, StopCause::kToolUse);
    EXPECT_EQ(answer.usage.input, 125u);
    EXPECT_EQ(answer.usage.cache_read, 100u);
    EXPECT_EQ(answer.usage.output, 15u);
  }
}

TEST(AnthropicCodecStream, ReadingAndWritingGivesTheSameBytes) {
  for (const size_t piece : {std::string::npos, size_t{1}}) {
    Writing writing;
    const std::unique_ptr<StreamReader> reader = Codec().ReadStream();
    const std::string stream = Whole();
    for (size_t begin = 0; begin < stream.size(); begin += std::min(piece, stream.size()))
      reader->Feed(std::string_view(stream).substr(begin, piece), &writing.sink());
    reader->Finish(false, &writing.sink());
    EXPECT_EQ(writing.All(), stream);
  }
}

TEST(AnthropicCodecStream, EachEventGoesOutAtOnce) {
  Writing writing;
  const std::unique_ptr<StreamReader> reader = Codec().ReadStream();
  reader->Feed(MessageStart(), &writing.sink());
  EXPECT_THAT(writing.New(), HasSubstr("message_start"));
  reader->Feed(BlockStart(0, kTextBlock), &writing.sink());
  const std::string delta = TextDelta(0, "word");
  reader->Feed(delta.substr(0, delta.size() - 1), &writing.sink());
  EXPECT_EQ(writing.New(), "");
  reader->Feed("\n", &writing.sink());
  EXPECT_THAT(writing.New(), HasSubstr("\"text\":\"word\""));
  reader->Feed(BlockStop(0) + BlockStart(1, kCallBlock), &writing.sink());
  reader->Feed(ArgumentsDelta(1, "{"), &writing.sink());
  EXPECT_THAT(writing.New(), testing::AllOf(HasSubstr(R"("id":"t1","name":"A")"), HasSubstr(R"("partial_json":"{")")));
  reader->Feed(ArgumentsDelta(1, "}"), &writing.sink());
  EXPECT_THAT(writing.New(), HasSubstr("content_block_stop"));
}

TEST(AnthropicCodecStream, ReadsInterleavedBlocksAndInputsThatComeWhole) {
  const ModelAnswer answer =
      Read(MessageStart() + BlockStart(0, R"({"type":"tool_use","id":"a","name":"f","input":{}})") +
           BlockStart(5, R"({"type":"tool_use","name":"g","input":{"whole":true}})") + ArgumentsDelta(0, "") +
           ArgumentsDelta(0, R"({\"x\")") + BlockStop(5) + ArgumentsDelta(0, ":1}") +
           BlockStart(6, R"({"type":"tool_use","id":"c","name":"h"})") +
           BlockStart(7, R"({"type":"server_tool_use","id":"s","input":{}})") + ArgumentsDelta(7, R"({\"q\":1})") +
           MessageEnd("tool_use"))
          .Take();
  ASSERT_THAT(answer.parts, SizeIs(4));
  EXPECT_EQ(answer.parts[0].text, R"({"x":1})");
  EXPECT_EQ(answer.parts[1].id, "call_1");
  EXPECT_EQ(answer.parts[1].text, R"({"whole":true})");
  EXPECT_EQ(answer.parts[2].text, "{}");
  EXPECT_EQ(ToJson(answer.parts[3].own), R"({"type":"server_tool_use","id":"s","input":{"q":1}})");
}

TEST(AnthropicCodecStream, ReadsServersThatBeginNoBlock) {
  const ModelAnswer answer =
      Read(BlockStart(0, kTextBlock) + BlockDelta(0, R"({"type":"thinking_delta","thinking":"h"})") +
           TextDelta(1, "a") + TextDelta(1, "b") + MessageEnd("end_turn"))
          .Take();
  ASSERT_THAT(answer.parts, SizeIs(3));
  EXPECT_EQ(answer.parts[1].kind, PartKind::kThinking);
  EXPECT_EQ(answer.parts[1].text, "h");
  EXPECT_EQ(answer.parts[2].text, "ab");
}

TEST(AnthropicCodecStream, AStopReasonOrMessageStopIsAProperEnd) {
  const std::string delta = Event("message_delta", R"(,"delta":{"stop_reason":"max_tokens"})");
  EXPECT_EQ(Read(MessageStart() + delta).Take().stop.cause, StopCause::kMaxTokens);
  EXPECT_TRUE(Read(MessageStart() + delta, true).ended());
  EXPECT_EQ(Read(MessageStart() + Event("message_stop")).Take().stop.cause, StopCause::kUnknown);
  const std::string unfinished = Event("message_stop");
  EXPECT_TRUE(Read(MessageStart() + unfinished.substr(0, unfinished.size() - 1)).ended());
  EXPECT_TRUE(Read(MessageStart() + unfinished.substr(0, unfinished.size() - 1), true).failed());
}

TEST(AnthropicCodecStream, ACutIsAFailure) {
  const std::string begun = MessageStart() + BlockStart(0, kTextBlock) + TextDelta(0, "Hel");
  for (const bool cut : {false, true}) {
    AnswerCollector read = Read(begun, cut);
    ASSERT_TRUE(read.failed());
    EXPECT_EQ(read.error().status, 502);
    EXPECT_THAT(read.error().message, HasSubstr("before the answer was complete"));
    EXPECT_EQ(read.Take().parts.at(0).text, "Hel");
  }
  EXPECT_TRUE(Read("").failed());
}

TEST(AnthropicCodecStream, AnErrorEventFailsInItsOwnWords) {
  const std::string error = Event("error", R"(,"error":{"type":"overloaded_error","message":"Overloaded"})");
  for (const std::string& stream :
       {error, MessageStart() + error + MessageEnd("end_turn"), "data: " + error.substr(error.find('{'))}) {
    const AnswerCollector read = Read(stream);
    ASSERT_TRUE(read.failed()) << stream;
    EXPECT_EQ(read.error().status, 529);
    EXPECT_EQ(read.error().kind, ErrorKind::kOverloaded);
    EXPECT_EQ(read.error().message, "Overloaded");
  }
  EXPECT_EQ(Read("event: error\ndata: gone\n\n").error().message, "gone");
}

TEST(AnthropicCodecStream, WhatCannotBeReadFails) {
  EXPECT_TRUE(Read(MessageStart() + "data: {\"type\":\n\n").failed());
  EXPECT_TRUE(Read("data: 1\n\n").failed());
  EXPECT_THAT(
      Read(MessageStart() + BlockStart(0, R"({"type":"tool_use","id":"x"})") + MessageEnd("tool_use")).error().message,
      HasSubstr("without a name"));
  EXPECT_TRUE(Read(MessageStart() + ": comment\n\nevent: ping\ndata: \n\n" + Event("ping") + Event("something_new") +
                   MessageEnd("end_turn") + "data: [DONE]\n\n" + TextDelta(0, "more"))
                  .ended());
}

TEST(AnthropicCodecStream, ReadsNoMoreCallsThanItsBound) {
  std::string stream = MessageStart();
  for (size_t i = 0; i < StreamReader::kMaxToolCalls; ++i) stream += BlockStart(static_cast<int>(i), kCallBlock);
  EXPECT_TRUE(Read(stream + MessageEnd("tool_use")).ended());
  EXPECT_TRUE(Read(stream + BlockStart(9999, kCallBlock) + MessageEnd("tool_use")).failed());
}

TEST(AnthropicCodecStream, HoldsNoMoreOfOpenBlocksThanItsBound) {
  const std::string piece(1 << 20, 'x');
  std::string stream = MessageStart() + BlockStart(0, R"({"type":"server_tool_use","id":"s","input":{}})");
  for (size_t held = 0; held < StreamReader::kMaxHeldBytes; held += piece.size()) stream += ArgumentsDelta(0, piece);
  EXPECT_THAT(Read(stream + MessageEnd("end_turn")).error().message, HasSubstr("held"));
  stream = MessageStart() + BlockStart(0, kCallBlock);
  for (size_t held = 0; held <= StreamReader::kMaxHeldBytes; held += piece.size()) stream += ArgumentsDelta(0, piece);
  EXPECT_TRUE(Read(stream + MessageEnd("end_turn")).ended());
}

TEST(AnthropicCodecStream, NotesDeltasItDoesNotRead) {
  const std::unique_ptr<StreamReader> reader = Codec().ReadStream();
  AnswerCollector answer;
  reader->Feed(MessageStart() + BlockStart(0, kTextBlock) + TextDelta(0, "a"), &answer);
  EXPECT_TRUE(reader->notes().empty());
  reader->Feed(BlockDelta(0, R"({"type":"citations_delta","citation":{}})"), &answer);
  EXPECT_EQ(reader->notes(), Notes{"content: a citations_delta was dropped"});
}

TEST(AnthropicCodecStream, WritesWhatIsInterleavedInOrder) {
  Writing writing;
  StreamWriter& sink = writing.sink();
  sink.Start("c1", "up");
  sink.StartPart(0, CallHead("t0"));
  sink.Delta(0, R"({"a":)");
  sink.StartPart(1, CallHead("t1", "B"));
  sink.Delta(1, R"({"b")");
  sink.StartPart(2, kText);
  sink.Delta(2, "te");
  sink.Delta(0, "1}behind");
  sink.Delta(0, "{}");
  sink.Delta(1, ":2}");
  sink.Delta(2, "xt");
  sink.End({StopCause::kToolUse, {}, {}});
  const AnthropicAnswer& answer = writing.Check();
  ASSERT_THAT(answer.blocks, SizeIs(3));
  EXPECT_EQ(answer.blocks[0].text, R"({"a":1})");
  EXPECT_EQ(answer.blocks[1].text, R"({"b":2})");
  EXPECT_EQ(answer.blocks[2].text, "text");
  EXPECT_EQ(answer.stop_reason, "tool_use");
}

TEST(AnthropicCodecStream, ATextThatGoesOnBehindACallGetsABlockOfItsOwn) {
  Writing writing;
  StreamWriter& sink = writing.sink();
  sink.Start("c1", "up");
  sink.StartPart(0, kText);
  sink.Delta(0, "a");
  sink.StartPart(1, CallHead("t0"));
  sink.Delta(1, "{}");
  sink.Delta(0, "b");
  sink.EndPart(0);
  sink.EndPart(1);
  sink.StartPart(2, kText);  // nothing comes of it
  sink.End({StopCause::kEnd, {}, {}});
  const AnthropicAnswer& answer = writing.Check();
  ASSERT_THAT(answer.blocks, SizeIs(3));
  EXPECT_EQ(answer.blocks[0].text, "a");
  EXPECT_EQ(answer.blocks[2].text, "b");
}

TEST(AnthropicCodecStream, StateOfThinkingIsItsSignature) {
  Writing writing;
  StreamWriter& sink = writing.sink();
  const OpaqueState packed{StateKind::kResponsesReasoning, "{}"};
  sink.Start("c1", "up");
  sink.StartPart(0, kThinking);
  sink.Delta(0, "h");
  sink.AddState(0, packed);
  sink.EndPart(0);
  sink.StartPart(1, kThinking);
  sink.AddState(1, {StateKind::kAnthropicRedacted, "r"});
  sink.EndPart(1);
  sink.StartPart(2, kThinking);  // no state, no text
  sink.EndPart(2);
  sink.StartPart(3, kThinking);
  sink.Delta(3, "i");
  sink.StartPart(4, kText);
  sink.Delta(4, "a");
  sink.AddState(3, packed);  // too late for its block
  sink.End({StopCause::kEnd, {}, {}});
  const std::string out = writing.All();
  EXPECT_EQ(writing.Check().blocks.size(), 5u);
  const std::string signature = R"("delta":{"type":"signature_delta","signature":")" + PackStates({packed}) + R"("}})";
  EXPECT_THAT(out, HasSubstr(R"("index":0,)" + signature + "\n\nevent: content_block_stop"));
  EXPECT_THAT(out, HasSubstr(R"("index":1,"content_block":{"type":"redacted_thinking","data":"r"})"));
  EXPECT_THAT(out, Not(HasSubstr(R"("index":2,)" + signature)));
  EXPECT_THAT(out, HasSubstr(R"("index":4,)" + signature));
}

TEST(AnthropicCodecStream, StateOfACallIsInItsId) {
  Writing writing;
  StreamWriter& sink = writing.sink();
  sink.Start("c1", "up");
  sink.StartPart(0, CallHead("t0"));
  sink.AddState(0, {StateKind::kGeminiSignature, "c2ln"});
  sink.Delta(0, "{}");
  sink.StartPart(1, {PartKind::kToolCall, "t1", "B", true});
  sink.Delta(1, "a\"");
  sink.Delta(1, "b");
  sink.StartPart(2, {PartKind::kToolCall, "t2", "B", true});
  sink.End({StopCause::kToolUse, {}, {}});
  const AnthropicAnswer& answer = writing.Check();
  ASSERT_THAT(answer.blocks, SizeIs(3));
  OpaqueStates states;
  EXPECT_EQ(Unmarked(IdWithoutState(answer.blocks[0].id, &states)), "t0");
  EXPECT_THAT(states, ElementsAre(OpaqueState{StateKind::kGeminiSignature, "c2ln"}));
  EXPECT_EQ(answer.blocks[1].text, R"({"input":"a\"b"})");
  EXPECT_EQ(answer.blocks[2].text, R"({"input":""})");
}

TEST(AnthropicCodecStream, RefusalsAndExplanationsAreText) {
  Writing refused;
  refused.sink().Start("c1", "up");
  refused.sink().StartPart(0, {PartKind::kRefusal, {}, {}, false});
  refused.sink().Delta(0, "No.");
  refused.sink().End({StopCause::kEnd, {}, "unused"});
  EXPECT_EQ(refused.Check().stop_reason, "refusal");
  EXPECT_EQ(refused.Check().Joined("text"), "No.");
  Writing empty;
  empty.sink().Start("c1", "up");
  empty.sink().End({StopCause::kRefusal, {}, "blocked"});
  EXPECT_EQ(empty.Check().Joined("text"), "blocked");
}

TEST(AnthropicCodecStream, NothingFollowsTheEndAndWhatDoesNotFitIsIgnored) {
  Writing writing;
  StreamWriter& sink = writing.sink();
  sink.Delta(0, "early");
  sink.StartPart(0, kText);
  sink.Start("c1", "up");
  sink.Start("c2", "up");
  sink.Delta(7, "of no part");
  sink.EndPart(7);
  sink.StartPart(0, kText);
  sink.StartPart(0, CallHead("t"));
  sink.Delta(0, "a");
  sink.EndPart(0);
  sink.Delta(0, "late");
  sink.End({StopCause::kEnd, {}, {}});
  const std::string out = writing.All();
  EXPECT_EQ(writing.Check().Joined("text"), "a");
  EXPECT_THAT(writing.Check().blocks, SizeIs(1));
  sink.StartPart(1, kText);
  sink.Delta(1, "b");
  sink.End({StopCause::kEnd, {}, {}});
  sink.Fail({});
  EXPECT_EQ(writing.All(), out);
}

TEST(AnthropicCodecStream, FailuresEndTheStream) {
  Writing writing;
  writing.sink().Start("c1", "up");
  writing.sink().StartPart(0, kText);
  writing.sink().Delta(0, "a");
  AnswerError error;
  error.status = 529;
  error.message = "busy";
  writing.sink().Fail(error);
  writing.sink().Delta(0, "b");
  writing.sink().End({});
  EXPECT_EQ(writing.Check().error, "overloaded_error: busy");
  EXPECT_EQ(writing.Check().Joined("text"), "a");
  Writing nothing;
  nothing.sink().End({});
  EXPECT_THAT(nothing.Check().error, HasSubstr("without an answer"));
}

TEST(AnthropicCodecStream, HoldsNoMoreThanItsBound) {
  const std::string piece(1 << 20, 'x');
  for (const bool over : {false, true}) {
    Writing writing;
    StreamWriter& sink = writing.sink();
    sink.Start("c1", "up");
    sink.StartPart(0, CallHead("t0"));
    sink.Delta(0, "{");
    sink.StartPart(1, kText);
    for (size_t held = over ? 0 : piece.size(); held < StreamReader::kMaxHeldBytes; held += piece.size())
      sink.Delta(1, piece);
    sink.Delta(0, "}");
    sink.End({StopCause::kEnd, {}, {}});
    EXPECT_EQ(writing.Check().error.empty(), !over);
  }
}

}  // namespace
}  // namespace ccr::proxy::anthropic::stream_test
