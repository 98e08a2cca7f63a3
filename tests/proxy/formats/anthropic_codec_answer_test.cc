#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/formats/anthropic/codec.h"
#include "proxy/formats/json_util.h"
#include "tests/proxy/formats/validators.h"

namespace ccr::proxy::anthropic::answer_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

ModelAnswer ReadAnswer(std::string_view body) {
  Notes notes;
  absl::StatusOr<ModelAnswer> answer = Codec().ReadAnswer(body, &notes);
  EXPECT_TRUE(answer.ok()) << answer.status();
  return answer.ok() ? *std::move(answer) : ModelAnswer();
}

ModelAnswer ReadContent(std::string_view content, std::string_view stop_reason = "end_turn") {
  return ReadAnswer(R"({"id":"msg_1","type":"message","role":"assistant","model":"claude","content":)" +
                    std::string(content) + R"(,"stop_reason":")" + std::string(stop_reason) +
                    R"(","stop_sequence":"END","usage":{"input_tokens":3,"output_tokens":5,)"
                    R"("cache_creation_input_tokens":20,"cache_read_input_tokens":100}})");
}

std::string WriteAnswer(const ModelAnswer& answer, const AnswerContext& context = {}) {
  const std::string body = Codec().WriteAnswer(answer, context);
  AnthropicAnswer checked;
  EXPECT_EQ(CheckAnthropicMessage(body, &checked), "") << body;
  return Unmarked(body);
}

// The content that is written.
std::string Content(const ModelAnswer& answer) {
  const std::string body = WriteAnswer(answer);
  const size_t begin = body.find("\"content\":") + 10;
  return body.substr(begin, body.find(",\"stop_reason\"") - begin);
}

std::string StopReason(const ModelAnswer& answer) {
  AnthropicAnswer checked;
  EXPECT_EQ(CheckAnthropicMessage(Codec().WriteAnswer(answer, {}), &checked), "");
  return checked.stop_reason;
}

Part MakePart(PartKind kind, std::string_view text, OpaqueStates states = {}) {
  Part part;
  part.kind = kind;
  part.text = text;
  part.state = std::move(states);
  return part;
}

Part MakeCall(std::string_view id, std::string_view arguments) {
  Part part = MakePart(PartKind::kToolCall, arguments);
  part.id = id;
  part.name = "A";
  return part;
}

ModelAnswer Answer(std::vector<Part> parts) {
  ModelAnswer answer;
  answer.id = "c1";
  answer.model = "up";
  answer.parts = std::move(parts);
  return answer;
}

TEST(AnthropicCodecAnswer, ReadsAllThatAnAnswerHolds) {
  const ModelAnswer answer = ReadContent(R"([{"type":"thinking","thinking":"Hm.","signature":"sig"},
      {"type":"redacted_thinking","data":"red"},{"type":"text","text":"Hi","citations":[{"type":"c"}]},
      {"type":"tool_use","id":"t1","name":"A","input":{"x":0.5}},
      {"type":"server_tool_use","id":"s","name":"web_search","input":{}}])",
                                         "tool_use");
  EXPECT_EQ(answer.id, "msg_1");
  EXPECT_EQ(answer.model, "claude");
  ASSERT_THAT(answer.parts, SizeIs(5));
  EXPECT_EQ(answer.parts[0].kind, PartKind::kThinking);
  EXPECT_EQ(answer.parts[0].text, "Hm.");
  EXPECT_THAT(answer.parts[0].state, ElementsAre(OpaqueState{StateKind::kAnthropicSignature, "sig"}));
  EXPECT_THAT(answer.parts[1].state, ElementsAre(OpaqueState{StateKind::kAnthropicRedacted, "red"}));
  EXPECT_EQ(answer.parts[2].text, "Hi");
  EXPECT_EQ(ToJson(answer.parts[2].own), R"({"citations":[{"type":"c"}]})");
  EXPECT_EQ(answer.parts[3].id, "t1");
  EXPECT_EQ(answer.parts[3].text, R"({"x":0.5})");
  EXPECT_EQ(answer.parts[4].kind, PartKind::kOther);
  EXPECT_EQ(answer.stop.cause, StopCause::kToolUse);
  EXPECT_EQ(answer.usage, (Usage{.input = 123, .cache_read = 100, .cache_written = 20, .output = 5, .reasoning = 0}));
}

TEST(AnthropicCodecAnswer, ReadingAndWritingLosesNothing) {
  const std::string content =
      R"([{"type":"thinking","thinking":"Hm.","signature":"sig"},{"type":"redacted_thinking","data":"red"},)"
      R"({"type":"text","text":"Hi","citations":[{"type":"c"}]},{"type":"tool_use","id":"t1","name":"A","input":{"x":0.5}},)"
      R"({"type":"server_tool_use","id":"s","name":"web_search","input":{}},)"
      R"({"type":"web_search_tool_result","tool_use_id":"s","content":[]}])";
  EXPECT_EQ(WriteAnswer(ReadContent(content, "pause_turn")),
            R"({"id":"msg_1","type":"message","role":"assistant","model":"claude","content":)" + content +
                R"(,"stop_reason":"pause_turn","stop_sequence":null,"usage":{"input_tokens":3,)"
                R"("cache_creation_input_tokens":20,"cache_read_input_tokens":100,"output_tokens":5}})");
}

TEST(AnthropicCodecAnswer, ReadsStopReasons) {
  for (const auto& [reason, cause] :
       std::vector<std::pair<std::string, StopCause>>{{"end_turn", StopCause::kEnd},
                                                      {"max_tokens", StopCause::kMaxTokens},
                                                      {"stop_sequence", StopCause::kStopSequence},
                                                      {"tool_use", StopCause::kToolUse},
                                                      {"refusal", StopCause::kRefusal},
                                                      {"pause_turn", StopCause::kPause},
                                                      {"model_context_window_exceeded", StopCause::kContext},
                                                      {"something_new", StopCause::kUnknown}}) {
    EXPECT_EQ(ReadContent("[]", reason).stop.cause, cause) << reason;
  }
  EXPECT_EQ(ReadContent("[]", "stop_sequence").stop.sequence, "END");
  EXPECT_EQ(ReadContent("[]", "end_turn").stop.sequence, "");
  EXPECT_EQ(
      ReadAnswer(R"({"content":[],"stop_reason":"refusal","stop_details":{"explanation":"No."}})").stop.explanation,
      "No.");
}

TEST(AnthropicCodecAnswer, CallsAreValidWhateverTheUpstreamSends) {
  const ModelAnswer answer = ReadContent(
      R"([{"type":"tool_use","id":"t","name":"f","input":"{\"a\":1}"},{"type":"tool_use","id":"t","name":"f","input":7},)"
      R"({"type":"tool_use","name":"f"}])");
  ASSERT_THAT(answer.parts, SizeIs(3));
  EXPECT_EQ(answer.parts[0].text, R"({"a":1})");
  EXPECT_EQ(answer.parts[1].id, "call_1");
  EXPECT_EQ(answer.parts[1].text, R"({"raw_arguments":"7"})");
  EXPECT_EQ(answer.parts[2].id, "call_2");
  EXPECT_EQ(answer.parts[2].text, "{}");
}

TEST(AnthropicCodecAnswer, WhatIsNoMessageIsInternal) {
  for (const auto& [body, message] : std::vector<std::pair<std::string, std::string>>{
           {"", "JSON"},
           {"<html>", "JSON"},
           {"[]", "no content"},
           {"{}", "no content"},
           {R"({"type":"error","error":{"type":"overloaded_error","message":"busy"}})", "busy"},
           {R"({"content":[{"type":"tool_use","id":"t"}]})", "without a name"}}) {
    Notes notes;
    const auto answer = Codec().ReadAnswer(body, &notes);
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kInternal) << body;
    EXPECT_THAT(std::string(answer.status().message()), HasSubstr(message));
  }
}

TEST(AnthropicCodecAnswer, WritesForeignParts) {
  EXPECT_EQ(Content(Answer({MakePart(PartKind::kThinking, "Hm."), MakePart(PartKind::kText, ""),
                            MakePart(PartKind::kText, "See:"), MakeCall("t1", R"({"x":1})"), MakeCall("t2", ""),
                            MakeCall("t3", "[1]"), MakePart(PartKind::kMedia, "")})),
            R"([{"type":"thinking","thinking":"Hm.","signature":""},{"type":"text","text":"See:"},)"
            R"({"type":"tool_use","id":"t1","name":"A","input":{"x":1}},)"
            R"({"type":"tool_use","id":"t2","name":"A","input":{}},)"
            R"({"type":"tool_use","id":"t3","name":"A","input":{"raw_arguments":"[1]"}},)"
            R"({"type":"text","text":"[file omitted]"}])");
  Part custom = MakeCall("t1", "text");
  custom.custom = true;
  EXPECT_THAT(Content(Answer({custom})), HasSubstr(R"("input":{"input":"text"})"));
  Part other = MakePart(PartKind::kOther, "shown");
  other.own["type"] = "web_search_call";
  EXPECT_EQ(Content(Answer({other})), R"([{"type":"text","text":"shown"}])");
}

TEST(AnthropicCodecAnswer, StateComesBackAsItWas) {
  const OpaqueStates foreign = {{StateKind::kResponsesReasoning, R"({"id":"rs"})"}};
  const OpaqueStates chained = {{StateKind::kAnthropicSignature, PackStates(foreign)}};
  const OpaqueStates call = {{StateKind::kGeminiSignature, "c2ln"}};
  const OpaqueStates both = {{StateKind::kAnthropicSignature, "s"}, {StateKind::kChatReasoningDetails, "[]"}};
  ModelAnswer answer = Answer({MakePart(PartKind::kThinking, "", foreign), MakePart(PartKind::kThinking, "x", chained),
                               MakePart(PartKind::kThinking, "y", both), MakeCall("t1", "{}")});
  answer.parts[3].state = call;
  const std::string content = Codec().WriteAnswer(answer, {});
  const auto parsed = ParseJson(content);
  const std::string request =
      R"({"messages":[{"role":"assistant","content":)" + ToJson(parsed->get_object().at("content")) + "}]}";
  Notes notes;
  const auto read = Codec().ReadRequest(request, &notes);
  ASSERT_TRUE(read.ok());
  const std::vector<Part>& parts = read->messages[0].parts;
  ASSERT_THAT(parts, SizeIs(4));
  EXPECT_EQ(parts[0].state, foreign);
  EXPECT_EQ(parts[1].state, chained);
  EXPECT_EQ(parts[2].state, both);
  EXPECT_EQ(parts[3].state, call);
  EXPECT_EQ(parts[3].id, "t1");
}

TEST(AnthropicCodecAnswer, WritesStopReasons) {
  const auto reason = [](StopCause cause, std::vector<Part> parts, std::string_view sequence = "") {
    ModelAnswer answer = Answer(std::move(parts));
    answer.stop.cause = cause;
    answer.stop.sequence = sequence;
    return StopReason(answer);
  };
  const Part text = MakePart(PartKind::kText, "a");
  const Part call = MakeCall("t", "{}");
  EXPECT_EQ(reason(StopCause::kEnd, {text}), "end_turn");
  EXPECT_EQ(reason(StopCause::kUnknown, {text}), "end_turn");
  EXPECT_EQ(reason(StopCause::kToolUse, {text}), "end_turn");
  EXPECT_EQ(reason(StopCause::kMaxTokens, {call}), "max_tokens");
  EXPECT_EQ(reason(StopCause::kRefusal, {text}), "refusal");
  EXPECT_EQ(reason(StopCause::kEnd, {MakePart(PartKind::kRefusal, "No.")}), "refusal");
  EXPECT_EQ(reason(StopCause::kEnd, {call}), "tool_use");
  EXPECT_EQ(reason(StopCause::kStopSequence, {text}, "END"), "stop_sequence");
  EXPECT_EQ(reason(StopCause::kStopSequence, {text}), "end_turn");
  EXPECT_EQ(reason(StopCause::kPause, {text}), "pause_turn");
  EXPECT_EQ(reason(StopCause::kContext, {text}), "model_context_window_exceeded");
}

TEST(AnthropicCodecAnswer, TellsWhyThereIsNoContent) {
  ModelAnswer answer = Answer({});
  answer.stop = {StopCause::kRefusal, {}, "blocked: SAFETY"};
  EXPECT_EQ(Content(answer), R"([{"type":"text","text":"blocked: SAFETY"}])");
  answer.parts.push_back(MakePart(PartKind::kText, "a"));
  EXPECT_EQ(Content(answer), R"([{"type":"text","text":"a"}])");
}

TEST(AnthropicCodecAnswer, NamesTheModelAndMarksIds) {
  AnswerContext context;
  context.model = "shown";
  context.id_seed = 1;
  const ModelAnswer answer = Answer({MakeCall("0", "{}"), MakeCall("0", "{}")});
  const std::string body = Codec().WriteAnswer(answer, context);
  EXPECT_THAT(body, HasSubstr(R"("model":"shown")"));
  EXPECT_THAT(body, StartsWith(R"({"id":"c1_ccr)"));
  AnthropicAnswer first;
  AnthropicAnswer second;
  EXPECT_EQ(CheckAnthropicMessage(body, &first), "");  // which refuses equal ids
  context.id_seed = 2;
  EXPECT_EQ(CheckAnthropicMessage(Codec().WriteAnswer(answer, context), &second), "");
  EXPECT_NE(first.id, second.id);
  EXPECT_NE(first.blocks[0].id, second.blocks[0].id);
  EXPECT_NE(first.blocks[0].id, first.blocks[1].id);
  AnthropicAnswer other;
  EXPECT_EQ(CheckAnthropicMessage(Codec().WriteAnswer(Answer({MakeCall("0", R"({"x":1})")}), context), &other), "");
  EXPECT_NE(other.blocks[0].id, second.blocks[0].id);
}

TEST(AnthropicCodecAnswer, UsageIsOfWhatIsNotCached) {
  ModelAnswer answer = Answer({});
  answer.usage = {.input = 10, .cache_read = 11, .cache_written = 5, .output = 2, .reasoning = 1};
  EXPECT_THAT(WriteAnswer(answer), HasSubstr(R"("usage":{"input_tokens":0,"cache_creation_input_tokens":0,)"
                                             R"("cache_read_input_tokens":10,"output_tokens":2})"));
}

std::string TypeAndMessage(const AnswerError& error) {
  const auto parsed = ParseJson(Codec().WriteError(error));
  EXPECT_TRUE(parsed.ok());
  const json::object& body = parsed->get_object();
  EXPECT_EQ(FindText(body, "type"), "error");
  const json::object* inner = FindObject(body, "error");
  return std::string(FindText(*inner, "type")) + "|" + std::string(FindText(*inner, "message"));
}

TEST(AnthropicCodecError, ReadsTypeStatusAndKind) {
  const auto read = [](int status, std::string_view type) {
    return Codec().ReadError(status, R"({"type":"error","error":{"type":")" + std::string(type) +
                                         R"(","message":"m","code":"c"},"request_id":"r"})");
  };
  const AnswerError limited = read(429, "rate_limit_error");
  EXPECT_EQ(limited.status, 429);
  EXPECT_EQ(limited.kind, ErrorKind::kRateLimited);
  EXPECT_EQ(limited.type, "rate_limit_error");
  EXPECT_EQ(limited.code, "c");
  EXPECT_EQ(limited.message, "m");
  EXPECT_EQ(read(500, "overloaded_error").status, 529);
  EXPECT_EQ(read(500, "overloaded_error").kind, ErrorKind::kOverloaded);
  EXPECT_EQ(read(403, "billing_error").kind, ErrorKind::kQuota);
  EXPECT_EQ(read(429, "invalid_request_error").status, 429);
  EXPECT_EQ(read(429, "invalid_request_error").kind, ErrorKind::kRateLimited);
  EXPECT_EQ(read(413, "of_another").kind, ErrorKind::kTooLarge);
  EXPECT_EQ(read(400, "invalid_request_error").kind, ErrorKind::kInvalid);
  EXPECT_EQ(read(500, "api_error").kind, ErrorKind::kUpstream);
}

TEST(AnthropicCodecError, ReadsWhatOtherServersSend) {
  EXPECT_EQ(Codec().ReadError(502, "  <html>Bad gateway</html>\n").message, "<html>Bad gateway</html>");
  EXPECT_EQ(Codec().ReadError(500, R"({"error":"broken"})").message, "broken");
  EXPECT_EQ(Codec().ReadError(500, R"({"message":"broken"})").message, "broken");
  EXPECT_EQ(Codec().ReadError(503, "").message, "the upstream answered with HTTP status 503");
  EXPECT_EQ(Codec().ReadError(503, "").kind, ErrorKind::kOverloaded);
  EXPECT_EQ(Codec().ReadError(401, "\xFF").kind, ErrorKind::kAuth);
  EXPECT_EQ(Codec().ReadError(400, R"({"type":"error","message":"x"})").type, "");
}

TEST(AnthropicCodecError, WritesTheTypeOfTheKind) {
  AnswerError error;
  error.message = "m";
  EXPECT_EQ(TypeAndMessage(error), "api_error|m");
  error.status = 429;
  EXPECT_EQ(TypeAndMessage(error), "rate_limit_error|m");
  error.status = 400;
  EXPECT_EQ(TypeAndMessage(error), "invalid_request_error|m");
  error.kind = ErrorKind::kQuota;
  EXPECT_EQ(TypeAndMessage(error), "billing_error|m");
  error.kind = ErrorKind::kOverloaded;
  EXPECT_EQ(TypeAndMessage(error), "overloaded_error|m");
}

TEST(AnthropicCodecError, TellsAFullContextInTheWordsThatClientsActOn) {
  AnswerError error;
  error.status = 400;
  error.kind = ErrorKind::kContext;
  error.message = "too many tokens";
  EXPECT_EQ(TypeAndMessage(error), "invalid_request_error|prompt is too long: too many tokens");
  error.prompt_tokens = 129647;
  error.asked = 8192;
  EXPECT_EQ(TypeAndMessage(error), "invalid_request_error|prompt is too long: too many tokens");
  error.limit = 131072;
  EXPECT_EQ(TypeAndMessage(error),
            "invalid_request_error|input length and `max_tokens` exceed context limit: 129647 + 8192 > 131072");
  error.prompt_tokens = 131073;  // no max_tokens would do
  EXPECT_EQ(TypeAndMessage(error), "invalid_request_error|prompt is too long: 131073 tokens > 131072 maximum");
  error.message = "prompt is too long: 5 tokens > 4 maximum";
  EXPECT_EQ(TypeAndMessage(error), "invalid_request_error|prompt is too long: 5 tokens > 4 maximum");
}

}  // namespace
}  // namespace ccr::proxy::anthropic::answer_test
