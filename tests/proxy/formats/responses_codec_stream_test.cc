// Streams of OpenAI's Responses API.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/formats/json_util.h"
#include "proxy/formats/responses/codec.h"
#include "proxy/formats/sse.h"
#include "tests/proxy/formats/dice.h"

namespace ccr::proxy {
namespace {

// What a sink was told, one line each.
class TellTale final : public AnswerSink {
 public:
  void Start(std::string_view id, std::string_view model) override { Line("start", {id, model}); }
  void StartPart(size_t part, const PartHead& head) override {
    constexpr std::string_view kKinds[] = {"text", "thinking", "refusal", "media", "call", "result", "other"};
    Line("part" + std::to_string(part), {kKinds[static_cast<size_t>(head.kind)], head.id, head.name});
  }
  void Delta(size_t part, std::string_view text) override { Line("+" + std::to_string(part), {text}); }
  void AddState(size_t part, const OpaqueState& state) override { Line("state" + std::to_string(part), {state.data}); }
  void EndPart(size_t part) override { Line("end" + std::to_string(part), {}); }
  void WholePart(size_t part, Part whole) override {
    Line("whole" + std::to_string(part), {FindText(whole.own, "type"), whole.media.data});
  }
  void SetUsage(const Usage& usage) override {
    Line("usage", {std::to_string(usage.input), std::to_string(usage.output)});
  }
  void End(const Stop& stop) override { Line("stop", {std::to_string(static_cast<int>(stop.cause))}); }
  void Fail(const AnswerError& error) override {
    Line("fail", {std::to_string(static_cast<int>(error.kind)), error.message});
  }
  std::string told;

 private:
  void Line(std::string_view what, std::vector<std::string_view> words) {
    told += what;
    for (const std::string_view word : words) {
      if (!word.empty()) told.append(" ").append(word);
    }
    told += '\n';
  }
};

std::string Told(std::string_view stream, size_t piece = std::string::npos, bool cut = false) {
  TellTale sink;
  const std::unique_ptr<StreamReader> reader = responses::Codec().ReadStream();
  for (size_t i = 0; i < stream.size(); i += std::min(piece, stream.size()))
    reader->Feed(stream.substr(i, piece), &sink);
  reader->Finish(cut, &sink);
  return std::move(sink.told);
}

std::string Events(std::initializer_list<std::string_view> events) {
  std::string stream;
  for (const std::string_view event : events) AppendSseEvent("", event, &stream);
  return stream;
}

constexpr std::string_view kCreated =
    R"({"type":"response.created","response":{"id":"resp_1","model":"gpt","output":[]}})";
constexpr std::string_view kCompleted =
    R"({"type":"response.completed","response":{"status":"completed","output":[],"usage":{"input_tokens":3,"output_tokens":4}}})";

TEST(ResponsesStreamReader, ReadsDeltas) {
  const std::string stream = Events(
      {kCreated, R"({"type":"response.in_progress","response":{"id":"resp_1"}})",
       R"({"type":"response.output_item.added","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}})",
       R"({"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"a"})",
       R"({"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":1,"delta":"b"})",
       R"({"type":"response.output_item.done","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"E"}})",
       R"({"type":"response.output_item.added","output_index":1,"item":{"id":"msg_1","type":"message","content":[]}})",
       R"({"type":"response.content_part.added","output_index":1,"content_index":0,"part":{"type":"output_text","text":""}})",
       R"({"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"Hi"})",
       R"({"type":"response.output_text.done","output_index":1,"content_index":0,"text":"Hi"})",
       R"({"type":"response.output_item.done","output_index":1,"item":{"type":"message","content":[{"type":"output_text","text":"Hi"}]}})",
       R"({"type":"response.output_item.added","output_index":2,"item":{"type":"function_call","call_id":"c1","name":"f","arguments":""}})",
       R"({"type":"response.function_call_arguments.delta","output_index":2,"delta":"{\"a\":"})",
       R"({"type":"response.function_call_arguments.delta","output_index":2,"delta":"1}"})",
       R"({"type":"response.function_call_arguments.done","output_index":2,"arguments":"{\"a\":1}"})",
       R"({"type":"response.output_item.done","output_index":2,"item":{"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":1}"}})",
       R"({"type":"response.output_item.done","output_index":3,"item":{"id":"ws_1","type":"web_search_call"}})",
       R"({"type":"response.something_new","output_index":9})", kCompleted});
  const std::string told =
      "start resp_1 gpt\n"
      "part0 thinking rs_1\n+0 a\n+0 \n\n\n+0 b\nstate0 {\"id\":\"rs_1\",\"encrypted_content\":\"E\"}\nend0\n"
      "part1 text\n+1 Hi\nend1\n"
      "part2 call c1 f\n+2 {\"a\":\n+2 1}\nend2\n"
      "whole3 web_search_call\n"
      "usage 3 4\nstop 4\n";
  EXPECT_EQ(Told(stream), told);
  EXPECT_EQ(Told(stream, 1), told);
  EXPECT_EQ(Told(stream + "data: [DONE]\n\n", 7, /*cut=*/true), told);
}

TEST(ResponsesStreamReader, WhatIsDoneIsTheTruth) {
  // Nothing but items that are done.
  EXPECT_EQ(
      Told(Events(
          {kCreated,
           R"({"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"Hi"},{"type":"refusal","refusal":"no"}]}})",
           R"({"type":"response.output_item.done","output_index":1,"item":{"type":"custom_tool_call","call_id":"c","name":"p","input":"x"}})",
           kCompleted})),
      "start resp_1 gpt\npart0 text\n+0 Hi\nend0\npart1 refusal\n+1 no\nend1\npart2 call c p\n+2 x\nend2\nusage 3 "
      "4\nstop 4\n");
  // Deltas that miss the end, an item that is only added, and one that only the response at the end has.
  EXPECT_EQ(
      Told(Events(
          {kCreated, R"({"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"Hel"})",
           R"({"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"Hello"}]}})",
           R"({"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","call_id":"c","name":"f","arguments":""}})",
           R"({"type":"response.completed","response":{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"Hello"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"message","content":[{"type":"output_text","text":"!"}]}]}})"})),
      "start resp_1 gpt\npart0 text\n+0 Hel\n+0 lo\nend0\npart1 call c f\n+1 {}\nend1\npart2 text\n+2 !\nend2\nstop "
      "4\n");
}

TEST(ResponsesStreamReader, RawReasoningIsTold) {
  EXPECT_EQ(
      Told(Events(
          {kCreated,
           R"({"type":"response.output_item.added","output_index":0,"item":{"id":"rs_1","type":"reasoning"}})",
           R"({"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"raw"})",
           R"({"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"short"})",
           R"({"type":"response.output_item.done","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"a short summary"}],"content":[{"type":"reasoning_text","text":"raw"}]}})",
           kCompleted})),
      "start resp_1 gpt\npart0 thinking rs_1\n+0 raw\n"
      "state0 {\"id\":\"rs_1\",\"content\":[{\"type\":\"reasoning_text\",\"text\":\"raw\"}]}\nend0\nusage 3 4\nstop "
      "1\n");
}

TEST(ResponsesStreamReader, Failures) {
  const std::string begun = Events({kCreated});
  const std::pair<std::string, std::string> cases[] = {
      {begun +
           Events(
               {R"({"type":"response.failed","response":{"status":"failed","error":{"code":"context_length_exceeded","message":"long"}}})"}),
       "fail 1 long\n"},
      {begun + Events({R"({"type":"error","code":"rate_limit_exceeded","message":"slow","param":null})"}),
       "fail 7 slow\n"},
      {begun + Events({R"({"error":{"type":"server_error","message":"broken"}})"}), "fail 10 broken\n"},
      {begun + Events({"no JSON"}), "fail 10 the upstream sent an event that is no JSON object\n"},
      {begun, "fail 10 the upstream's stream broke off\n"},
      {begun +
           Events(
               {R"({"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","arguments":"{}"}})"}),
       "fail 10 the upstream sent a tool call without a name\n"},
  };
  for (const auto& [stream, told] : cases) EXPECT_EQ(Told(stream), "start resp_1 gpt\n" + told) << stream;
  EXPECT_EQ(Told(""), "fail 10 the upstream ended its stream without an answer\n");
}

TEST(ResponsesStreamReader, IncompleteIsAnEnd) {
  EXPECT_EQ(
      Told(Events(
          {kCreated,
           R"({"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}})"})),
      "start resp_1 gpt\nstop 2\n");
}

TEST(ResponsesStreamReader, WhatOnlyThisFormatKnowsOutlivesItsEvent) {
  AnswerCollector collector;
  const std::unique_ptr<StreamReader> reader = responses::Codec().ReadStream();
  reader->Feed(
      Events(
          {kCreated,
           R"({"type":"response.output_item.done","output_index":0,"item":{"id":"ws_1","type":"web_search_call","action":{"query":"a long query that is in no small string"}}})",
           kCompleted}),
      &collector);
  const ModelAnswer answer = collector.Take();
  ASSERT_EQ(answer.parts.size(), 1u);
  EXPECT_EQ(ToJson(answer.parts[0].own),
            R"({"id":"ws_1","type":"web_search_call","action":{"query":"a long query that is in no small string"}})");
  EXPECT_EQ(answer.parts[0].own.storage()->is_equal(*json::storage_ptr()), true);
}

// Takes the events apart, and checks what holds for every stream: names, numbers and that items are opened and closed
// one after the other.
std::vector<json::object> CheckedEvents(std::string_view bytes) {
  std::vector<json::object> events;
  SseParser parser;
  uint64_t number = 0;
  uint64_t items = 0;
  std::string open;
  parser.Feed(bytes, [&](const SseEvent& event) {
    const absl::StatusOr<json::value> parsed = ParseJson(event.data);
    ASSERT_TRUE(parsed.ok()) << event.data;
    const json::object& data = parsed->as_object();
    const std::string type(FindText(data, "type"));
    EXPECT_EQ(event.type, type);
    EXPECT_EQ(FindUint(data, "sequence_number"), number++);
    if (type == "response.output_item.added") {
      EXPECT_EQ(open, "");
      EXPECT_EQ(FindUint(data, "output_index"), items);
      open = FindText(*FindObject(data, "item"), "id");
      EXPECT_NE(open, "");
    } else if (type == "response.output_item.done") {
      EXPECT_EQ(open, FindText(*FindObject(data, "item"), "id"));
      EXPECT_EQ(FindUint(data, "output_index"), items++);
      open.clear();
    } else if (FindObject(data, "response") == nullptr) {
      EXPECT_EQ(open, FindText(data, "item_id")) << type;
      EXPECT_EQ(FindUint(data, "output_index"), items);
    }
    events.push_back(data);
  });
  EXPECT_GE(events.size(), 3u);
  if (events.size() < 3) return events;
  EXPECT_EQ(FindText(events[0], "type"), "response.created");
  EXPECT_EQ(FindText(events[1], "type"), "response.in_progress");
  const std::string_view last = FindText(events.back(), "type");
  EXPECT_TRUE(last == "response.completed" || last == "response.incomplete" || last == "response.failed") << last;
  if (last != "response.failed") {
    EXPECT_EQ(FindArray(*FindObject(events.back(), "response"), "output")->size(), items);
  }
  return events;
}

std::string Types(const std::vector<json::object>& events) {
  std::string types;
  for (const json::object& event : events) types.append(FindText(event, "type").substr(9)).append(" ");
  return types;
}

class StreamOfResponses : public ::testing::Test {
 protected:
  explicit StreamOfResponses() {
    context_.custom_tools = {"apply_patch"};
    context_.grouped_tools["mcp__files__read"] = {"mcp__files__", "read"};
    writer_ = responses::Codec().WriteStream(context_);
    writer_->WriteTo(&out_);
  }
  std::vector<json::object> Events() { return CheckedEvents(out_); }

  AnswerContext context_;
  std::unique_ptr<StreamWriter> writer_;
  std::string out_;
};

TEST_F(StreamOfResponses, HasItsEventsInOrder) {
  writer_->Start("id", "model");
  writer_->StartPart(0, {PartKind::kThinking, {}, {}, false});
  writer_->Delta(0, "hm");
  writer_->AddState(0, {StateKind::kAnthropicSignature, "s"});
  writer_->EndPart(0);
  writer_->StartPart(1, {PartKind::kText, {}, {}, false});
  writer_->Delta(1, "a");
  writer_->Delta(1, "b");
  writer_->EndPart(1);
  writer_->StartPart(2, {PartKind::kToolCall, "t", "f", false});
  writer_->Delta(2, "{}");
  writer_->EndPart(2);
  writer_->End({StopCause::kToolUse, "", ""});
  const std::vector<json::object> events = Events();
  EXPECT_EQ(Types(events),
            "created in_progress output_item.added reasoning_summary_part.added reasoning_summary_text.delta "
            "reasoning_summary_text.done reasoning_summary_part.done output_item.done output_item.added "
            "content_part.added output_text.delta output_text.delta output_text.done content_part.done "
            "output_item.done output_item.added function_call_arguments.delta function_call_arguments.done "
            "output_item.done completed ");
  EXPECT_EQ(FindText(*FindObject(events[7], "item"), "encrypted_content"),
            PackStates({{StateKind::kAnthropicSignature, "s"}}));
  EXPECT_EQ(FindText(events[12], "text"), "ab");
}

TEST_F(StreamOfResponses, ADeltaGoesOutAtOnce) {
  writer_->StartPart(0, {PartKind::kText, {}, {}, false});
  writer_->Delta(0, "now");
  EXPECT_NE(out_.find("\"delta\":\"now\""), out_.npos);
  writer_->StartPart(1, {PartKind::kToolCall, "t", "f", false});
  writer_->EndPart(0);
  writer_->Delta(1, "later");
  EXPECT_NE(out_.find("\"delta\":\"later\""), out_.npos);
}

TEST_F(StreamOfResponses, ACustomToolsCallWaitsUntilItIsComplete) {
  writer_->StartPart(0, {PartKind::kToolCall, "t", "apply_patch", false});
  writer_->Delta(0, R"({"input":"*** )");
  EXPECT_EQ(out_.find("output_item.added"), out_.npos);
  writer_->Delta(0, R"(Begin"})");
  writer_->EndPart(0);
  writer_->End({StopCause::kToolUse, "", ""});
  const std::vector<json::object> events = Events();
  EXPECT_EQ(Types(events),
            "created in_progress output_item.added custom_tool_call_input.delta custom_tool_call_input.done "
            "output_item.done completed ");
  EXPECT_EQ(FindText(events[3], "delta"), "*** Begin");
  EXPECT_EQ(FindText(*FindObject(events[5], "item"), "input"), "*** Begin");
}

TEST_F(StreamOfResponses, PartsThatInterleaveComeOneAfterTheOther) {
  writer_->StartPart(0, {PartKind::kToolCall, "a", "mcp__files__read", false});
  writer_->StartPart(1, {PartKind::kToolCall, "b", "g", false});
  writer_->Delta(1, "[1");
  writer_->AddState(0, {StateKind::kGeminiSignature, "QUJD"});
  writer_->Delta(0, "{");
  writer_->Delta(1, "]");
  writer_->Delta(0, "}");
  writer_->EndPart(1);
  writer_->EndPart(0);
  writer_->End({StopCause::kToolUse, "", ""});
  const std::vector<json::object> events = Events();
  const json::array& output = *FindArray(*FindObject(events.back(), "response"), "output");
  EXPECT_EQ(FindText(output[0].as_object(), "arguments"), "{}");
  EXPECT_EQ(FindText(output[0].as_object(), "namespace"), "mcp__files__");
  EXPECT_TRUE(FindText(output[0].as_object(), "call_id").ends_with("__sig_QUJD"));
  EXPECT_EQ(FindText(*FindObject(events[2], "item"), "call_id"), FindText(output[0].as_object(), "call_id"));
  EXPECT_EQ(FindText(output[1].as_object(), "arguments"), "[1]");
}

TEST_F(StreamOfResponses, TextsBesideOneAnotherAreOneMessage) {
  writer_->StartPart(0, {PartKind::kText, {}, {}, false});
  writer_->Delta(0, "Based on");
  writer_->EndPart(0);
  writer_->StartPart(1, {PartKind::kText, {}, {}, false});
  writer_->EndPart(1);
  writer_->StartPart(2, {PartKind::kText, {}, {}, false});
  writer_->StartPart(3, {PartKind::kText, {}, {}, false});
  writer_->Delta(3, " done.");
  writer_->EndPart(3);
  writer_->Delta(2, " the page");
  EXPECT_NE(out_.find("\"delta\":\" the page\""), out_.npos);
  writer_->EndPart(2);
  writer_->StartPart(4, {PartKind::kToolCall, "t", "f", false});
  writer_->Delta(4, "{}");
  EXPECT_NE(out_.find("function_call_arguments.delta"), out_.npos);
  writer_->EndPart(4);
  writer_->StartPart(5, {PartKind::kText, {}, {}, false});
  writer_->Delta(5, "x");
  writer_->EndPart(5);
  writer_->StartPart(6, {PartKind::kRefusal, {}, {}, false});
  writer_->Delta(6, "y");
  writer_->End({StopCause::kEnd, "", ""});
  const std::vector<json::object> events = Events();
  EXPECT_EQ(Types(events),
            "created in_progress output_item.added content_part.added output_text.delta output_text.delta "
            "output_text.delta output_text.done content_part.done output_item.done "
            "output_item.added function_call_arguments.delta function_call_arguments.done output_item.done "
            "output_item.added content_part.added output_text.delta output_text.done content_part.done "
            "output_item.done output_item.added content_part.added refusal.delta refusal.done content_part.done "
            "output_item.done completed ");
  EXPECT_EQ(FindText(events[7], "text"), "Based on the page done.");
}

TEST_F(StreamOfResponses, AFailureSaysWhatClientsActOn) {
  AnswerError error;
  error.kind = ErrorKind::kContext;
  error.message = "too long";
  writer_->Fail(error);
  writer_->StartPart(0, {PartKind::kText, {}, {}, false});
  writer_->Delta(0, "x");
  writer_->End({});
  const std::vector<json::object> events = Events();
  EXPECT_EQ(Types(events), "created in_progress failed ");
  const json::object& response = *FindObject(events.back(), "response");
  EXPECT_EQ(FindText(response, "status"), "failed");
  EXPECT_EQ(ToJson(response.at("error")), R"({"code":"context_length_exceeded","message":"too long"})");
}

TEST_F(StreamOfResponses, ReasoningOfThisFormatKeepsItsId) {
  writer_->StartPart(0, {PartKind::kThinking, "rs_1", {}, false});
  writer_->AddState(0, {StateKind::kResponsesReasoning, R"({"id":"rs_1","encrypted_content":"E"})"});
  writer_->EndPart(0);
  // One whose id came too late is packed.
  writer_->StartPart(1, {PartKind::kThinking, {}, {}, false});
  writer_->Delta(1, "x");
  writer_->AddState(1, {StateKind::kResponsesReasoning, R"({"id":"rs_2","encrypted_content":"E"})"});
  writer_->EndPart(1);
  writer_->End({StopCause::kEnd, "", ""});
  const json::array output = *FindArray(*FindObject(Events().back(), "response"), "output");
  EXPECT_EQ(ToJson(output[0]), R"({"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"E"})");
  EXPECT_TRUE(IsPackedState(FindText(output[1].as_object(), "encrypted_content")));
}

TEST_F(StreamOfResponses, WhatIsHeldIsBounded) {
  writer_->StartPart(0, {PartKind::kText, {}, {}, false});
  writer_->StartPart(1, {PartKind::kToolCall, "t", "f", false});
  const std::string piece(size_t{1} << 20, 'x');
  for (int i = 0; i < 20; ++i) writer_->Delta(1, piece);
  EXPECT_EQ(Types(Events()), "created in_progress failed ");
  // What goes out is not held.
  out_.clear();
  writer_ = responses::Codec().WriteStream(context_);
  writer_->WriteTo(&out_);
  writer_->StartPart(0, {PartKind::kText, {}, {}, false});
  for (int i = 0; i < 20; ++i) {
    writer_->Delta(0, piece);
    if (i < 19) out_.clear();
  }
  EXPECT_NE(out_.find("output_text.delta"), out_.npos);
}

// Whatever a reader calls, in whatever order, the stream is one.
TEST(StreamOfResponsesProperty, NoOrderOfCallsMakesAnInvalidStream) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Rounds(300); ++seed) {
    SCOPED_TRACE("CCR_SEED=" + std::to_string(seed));
    Dice dice(seed);
    AnswerContext context;
    context.custom_tools = {"c"};
    std::string out;
    const std::unique_ptr<StreamWriter> writer = responses::Codec().WriteStream(context);
    writer->WriteTo(&out);
    for (size_t n = dice.Below(40); n > 0; --n) {
      const size_t part = dice.Below(6);
      switch (dice.Below(8)) {
        case 0:
        case 1: {
          constexpr PartKind kKinds[] = {PartKind::kText, PartKind::kThinking, PartKind::kRefusal, PartKind::kToolCall};
          writer->StartPart(part, {kKinds[dice.Below(4)], "id", dice.OneIn(2) ? "c" : "f", dice.OneIn(4)});
          break;
        }
        case 2:
        case 3:
          writer->Delta(part, RandomText(dice));
          break;
        case 4:
          writer->AddState(part, {StateKind::kAnthropicSignature, "s"});
          break;
        case 5:
          writer->EndPart(part);
          break;
        case 6: {
          Part whole;
          whole.kind = PartKind::kOther;
          whole.own = {{"type", "web_search_call"}, {"id", "ws_" + std::to_string(n)}};
          writer->WholePart(part, std::move(whole));
          break;
        }
        default:
          if (dice.OneIn(10)) writer->Fail({});
          if (dice.OneIn(10)) writer->End({});
      }
    }
    writer->End({});
    CheckedEvents(out);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace ccr::proxy
