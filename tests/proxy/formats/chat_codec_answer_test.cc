// Whole answers and errors of Chat Completions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "proxy/formats/chat/codec.h"
#include "proxy/formats/json_util.h"
#include "tests/proxy/formats/openai_validators.h"

namespace ccr::proxy::chat {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

ModelAnswer ReadBody(const std::string& body, Notes* notes = nullptr) {
  Notes none;
  absl::StatusOr<ModelAnswer> answer = Codec().ReadAnswer(body, notes == nullptr ? &none : notes);
  EXPECT_TRUE(answer.ok()) << answer.status() << "\n" << body;
  return answer.ok() ? *std::move(answer) : ModelAnswer();
}

// The answer with one choice of these members.
ModelAnswer ReadChoice(const std::string& members, Notes* notes = nullptr) {
  return ReadBody(R"({"id":"c1","model":"up","choices":[{"index":0,)" + members + "}]}", notes);
}

// "thinking:hm text:a call:f/id{} ".
std::string PartsOf(const std::vector<Part>& parts) {
  std::string summary;
  for (const Part& part : parts) {
    if (part.kind == PartKind::kThinking) summary += "thinking:" + part.text;
    if (part.kind == PartKind::kText) summary += "text:" + part.text;
    if (part.kind == PartKind::kRefusal) summary += "refusal:" + part.text;
    if (part.kind == PartKind::kMedia) summary += "media:" + part.media.type;
    if (part.kind == PartKind::kToolCall) summary += "call:" + part.name + "/" + part.id + part.text;
    summary += " ";
  }
  return summary;
}

TEST(ChatCodecAnswer, ReadsThePartsInTheirOrder) {
  const ModelAnswer answer = ReadBody(R"({"id":"c1","model":"up","choices":[{"message":{"content":"See:",
      "reasoning_content":"Hm.","tool_calls":[{"id":"a","type":"function","function":{"name":"A","arguments":"{}"}},
        {"id":"b","type":"custom","custom":{"name":"B","input":"txt"}},
        {"id":"c","function":{"name":"C","arguments":{"x":1}},"extra_content":{"google":{"thought_signature":"s"}}}],
      "images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}}]},"finish_reason":"tool_calls"}],
      "usage":{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4},
               "completion_tokens_details":{"reasoning_tokens":3}}})");
  EXPECT_EQ(answer.id, "c1");
  EXPECT_EQ(answer.model, "up");
  EXPECT_EQ(PartsOf(answer.parts), R"(thinking:Hm. text:See: media:image/png call:A/a{} call:B/btxt call:C/c{"x":1} )");
  EXPECT_TRUE(answer.parts[4].custom);
  EXPECT_THAT(answer.parts[5].state,
              ElementsAre(OpaqueState{StateKind::kChatExtraContent, R"({"google":{"thought_signature":"s"}})"}));
  EXPECT_EQ(answer.stop.cause, StopCause::kToolUse);
  EXPECT_EQ(answer.usage, (Usage{.input = 10, .cache_read = 4, .output = 5, .reasoning = 3}));
}

TEST(ChatCodecAnswer, ReadsContentInParts) {
  EXPECT_EQ(PartsOf(ReadChoice(R"("message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},
      {"type":"text","text":"a"},{"type":"text","text":"b"}]})")
                        .parts),
            "thinking:hm text:ab ");
  EXPECT_EQ(PartsOf(ReadChoice(R"("message":{"function_call":{"name":"f","arguments":""}})").parts).substr(0, 12),
            "call:f/call_");
}

TEST(ChatCodecAnswer, ReadsFinishReasons) {
  const auto cause = [](const std::string& reason, const std::string& message) {
    return ReadChoice(R"("finish_reason":)" + reason + R"(,"message":)" + message).stop.cause;
  };
  const std::string text = R"({"content":"a"})";
  const std::string call = R"({"tool_calls":[{"id":"1","function":{"name":"A","arguments":"{}"}}]})";
  EXPECT_EQ(cause(R"("stop")", text), StopCause::kEnd);
  EXPECT_EQ(cause(R"("STOP")", text), StopCause::kEnd);
  EXPECT_EQ(cause(R"("something_new")", text), StopCause::kEnd);
  EXPECT_EQ(cause(R"("tool_calls")", text), StopCause::kEnd);
  EXPECT_EQ(cause("null", text), StopCause::kUnknown);
  EXPECT_EQ(cause("null", call), StopCause::kToolUse);
  EXPECT_EQ(cause(R"("stop")", call), StopCause::kToolUse);
  EXPECT_EQ(cause(R"("length")", call), StopCause::kMaxTokens);
  EXPECT_EQ(cause(R"("model_length")", text), StopCause::kMaxTokens);
  EXPECT_EQ(cause(R"("content_filter")", text), StopCause::kRefusal);
  EXPECT_EQ(cause(R"("sensitive")", text), StopCause::kRefusal);
  EXPECT_EQ(cause(R"("stop")", R"({"content":null,"refusal":"No."})"), StopCause::kRefusal);
  const Stop named = ReadChoice(R"("message":{"content":"a"},"finish_reason":"stop","stop_reason":"END")").stop;
  EXPECT_EQ(named.cause, StopCause::kStopSequence);
  EXPECT_EQ(named.sequence, "END");
}

TEST(ChatCodecAnswer, ReadsEveryVendorsUsage) {
  const auto usage = [](const std::string& json) {
    return ReadBody(R"({"choices":[{"message":{"content":"a"}}],)" + json + "}").usage;
  };
  EXPECT_EQ(usage(R"("usage":{"prompt_tokens":10,"completion_tokens":2,"prompt_cache_hit_tokens":7})"),
            (Usage{.input = 10, .cache_read = 7, .output = 2}));
  EXPECT_EQ(usage(R"("usage":{"prompt_tokens":10,"cached_tokens":7})"), (Usage{.input = 10, .cache_read = 7}));
  EXPECT_EQ(usage(R"("usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":17,
                              "completion_tokens_details":{"reasoning_tokens":5}})"),
            (Usage{.input = 10, .output = 7, .reasoning = 5}));
  EXPECT_EQ(usage(R"("x_groq":{"usage":{"prompt_tokens":1}})"), (Usage{.input = 1}));
}

TEST(ChatCodecAnswer, DetailsAreStateOfTheThinking) {
  const ModelAnswer answer = ReadChoice(R"("message":{"content":"a","reasoning":"hm",
      "reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"s"}]})");
  EXPECT_EQ(PartsOf(answer.parts), "thinking:hm text:a ");
  EXPECT_THAT(answer.parts[0].state,
              ElementsAre(OpaqueState{StateKind::kChatReasoningDetails,
                                      R"([{"type":"reasoning.text","text":"hm","signature":"s"}])"}));
  EXPECT_EQ(PartsOf(ReadChoice(R"("message":{"content":"a","reasoning_details":[
      {"type":"reasoning.encrypted","data":"x"}]})")
                        .parts),
            "thinking: text:a ");
  EXPECT_EQ(
      PartsOf(ReadChoice(R"("message":{"reasoning_details":[{"type":"reasoning.summary","summary":"so"}]})").parts),
      "thinking:so ");
}

TEST(ChatCodecAnswer, SaysWhatIsNoAnswer) {
  const auto error = [](const std::string& body) {
    Notes notes;
    const absl::Status status = Codec().ReadAnswer(body, &notes).status();
    EXPECT_TRUE(absl::IsInternal(status)) << body << status;
    return std::string(status.message());
  };
  EXPECT_THAT(error("<html>"), HasSubstr("the upstream's answer is "));
  EXPECT_THAT(error("[]"), HasSubstr("no JSON object"));
  EXPECT_THAT(error(R"({"choices":[]})"), HasSubstr("no message"));
  EXPECT_THAT(error(R"({"error":{"message":"No endpoints found","code":404}})"), HasSubstr("No endpoints found"));
  EXPECT_THAT(error(R"({"choices":[{"message":{},"error":{"code":502,"message":"gone"}}]})"), HasSubstr("gone"));
  EXPECT_THAT(error(R"({"choices":[{"message":{},"finish_reason":"error"}]})"), HasSubstr("ended its answer"));
  EXPECT_THAT(error(R"({"choices":[{"message":{"tool_calls":[{"id":"1","function":{"arguments":"{}"}}]}}]})"),
              HasSubstr("without a name"));
}

TEST(ChatCodecAnswer, NotesWhatItDoesNotRead) {
  Notes notes;
  ReadChoice(R"("message":{"role":"assistant","content":"a","audio":null,"annotations":[]})", &notes);
  EXPECT_THAT(notes, IsEmpty());
  ReadChoice(R"("message":{"content":"a","annotations":[{"type":"url_citation"}]})", &notes);
  EXPECT_THAT(notes, ElementsAre("annotations: dropped"));
}

// ---- Writing.

Part Of(PartKind kind, std::string text) {
  Part part;
  part.kind = kind;
  part.text = std::move(text);
  return part;
}

Part CallOf(std::string id, std::string name, std::string arguments) {
  Part part = Of(PartKind::kToolCall, std::move(arguments));
  part.id = std::move(id);
  part.name = std::move(name);
  return part;
}

json::value Written(const ModelAnswer& answer, const AnswerContext& context = {}) {
  const std::string body = Codec().WriteAnswer(answer, context);
  const json::value parsed = json::parse(body);
  return parsed;
}

TEST(ChatCodecAnswer, WritesAWholeAnswer) {
  ModelAnswer answer;
  answer.id = "msg_1";
  answer.model = "up";
  answer.parts = {Of(PartKind::kThinking, "Hm."), Of(PartKind::kText, "a"), Of(PartKind::kText, "b"),
                  CallOf("t", "f", R"({"x":1})"), CallOf("t", "g", "")};
  answer.stop.cause = StopCause::kToolUse;
  answer.usage = {.input = 123, .cache_read = 100, .output = 7, .reasoning = 2};
  AnswerContext context;
  context.created = 1700000000;
  const std::string body = Codec().WriteAnswer(answer, context);
  EXPECT_TRUE(CheckOpenAiCompletion(body).ok()) << CheckOpenAiCompletion(body);
  EXPECT_EQ(body, R"({"id":"msg_1","object":"chat.completion","created":1700000000,"model":"up","choices":[{"index":0,)"
                  R"("message":{"role":"assistant","content":"ab","refusal":null,"reasoning_content":"Hm.",)"
                  R"("tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},)"
                  R"({"id":"call_1","type":"function","function":{"name":"g","arguments":"{}"}}]},"logprobs":null,)"
                  R"("finish_reason":"tool_calls"}],"usage":{"prompt_tokens":123,"completion_tokens":7,)"
                  R"("total_tokens":130,"prompt_tokens_details":{"cached_tokens":100},)"
                  R"("completion_tokens_details":{"reasoning_tokens":2}}})");
}

TEST(ChatCodecAnswer, WritesFinishReasonsAndExplanations) {
  const auto reason = [](StopCause cause, std::vector<Part> parts) {
    ModelAnswer answer;
    answer.stop.cause = cause;
    answer.parts = std::move(parts);
    return std::string(Written(answer).at("choices").at(0).at("finish_reason").as_string());
  };
  EXPECT_EQ(reason(StopCause::kEnd, {}), "stop");
  EXPECT_EQ(reason(StopCause::kUnknown, {}), "stop");
  EXPECT_EQ(reason(StopCause::kUnknown, {CallOf("a", "f", "{}")}), "tool_calls");
  EXPECT_EQ(reason(StopCause::kPause, {}), "stop");
  EXPECT_EQ(reason(StopCause::kStopSequence, {}), "stop");
  EXPECT_EQ(reason(StopCause::kMaxTokens, {}), "length");
  EXPECT_EQ(reason(StopCause::kContext, {}), "length");
  EXPECT_EQ(reason(StopCause::kRefusal, {}), "content_filter");
  EXPECT_EQ(reason(StopCause::kRefusal, {Of(PartKind::kText, "a")}), "content_filter");
  EXPECT_EQ(reason(StopCause::kRefusal, {Of(PartKind::kRefusal, "No.")}), "stop");
  EXPECT_EQ(reason(StopCause::kMaxTokens, {Of(PartKind::kRefusal, "No.")}), "length");
  ModelAnswer blocked;
  blocked.stop = {StopCause::kRefusal, "", "Gemini blocked the prompt"};
  const json::value message = Written(blocked).at("choices").at(0).at("message");
  EXPECT_EQ(message.at("content"), "");
  EXPECT_EQ(message.at("refusal"), "Gemini blocked the prompt");
  EXPECT_EQ(Written(blocked).at("choices").at(0).at("finish_reason"), "content_filter");
  blocked.stop.cause = StopCause::kEnd;
  EXPECT_EQ(Written(blocked).at("choices").at(0).at("message").at("content"), "Gemini blocked the prompt");
}

TEST(ChatCodecAnswer, GivesCustomToolsTheirText) {
  ModelAnswer answer;
  answer.parts = {CallOf("a", "patch", R"({"input":"say \"x\""})"), CallOf("b", "patch", "no json"),
                  CallOf("c", "other", "as it is")};
  answer.parts[2].custom = true;
  AnswerContext context;
  context.custom_tools = {"patch"};
  const json::value calls = Written(answer, context).at("choices").at(0).at("message").at("tool_calls");
  EXPECT_EQ(calls.at(0).at("type"), "custom");
  EXPECT_EQ(calls.at(0).at("custom").at("input"), "say \"x\"");
  EXPECT_EQ(calls.at(1).at("custom").at("input"), "no json");
  EXPECT_EQ(calls.at(2).at("custom").at("input"), "as it is");
}

TEST(ChatCodecAnswer, StateGoesToTheClientAndComesBack) {
  ModelAnswer answer;
  answer.parts = {Of(PartKind::kThinking, "first"), Of(PartKind::kThinking, "bare"), Of(PartKind::kThinking, "second"),
                  Of(PartKind::kText, "a"), CallOf("t", "f", "{}")};
  answer.parts[0].state = {{StateKind::kAnthropicSignature, "s1"}};
  answer.parts[2].state = {{StateKind::kAnthropicSignature, "s2"},
                           {StateKind::kChatReasoningDetails, R"([{"type":"x"}])"}};
  answer.parts[4].state = {{StateKind::kGeminiSignature, "abc="}, {StateKind::kChatExtraContent, R"({"k":1})"}};
  const json::value message = Written(answer).at("choices").at(0).at("message");
  EXPECT_THAT(message.at("reasoning_details").as_array(), SizeIs(3));
  EXPECT_EQ(message.at("tool_calls").at(0).at("id"), "t__sig_abc");
  Notes notes;
  const auto read = [&notes](const json::value& returned) {
    auto request = Codec().ReadRequest(json::serialize(json::value({{"messages", json::array({returned})}})), &notes);
    EXPECT_TRUE(request.ok()) << request.status();
    return std::move(request->messages[0].parts);
  };
  const std::vector<Part> parts = read(message);
  EXPECT_EQ(PartsOf(parts), "thinking:first thinking:bare thinking:second text:a call:f/t{} ");
  EXPECT_EQ(parts[0].state, answer.parts[0].state);
  EXPECT_THAT(parts[1].state, IsEmpty());
  EXPECT_EQ(parts[2].state, answer.parts[2].state);
  EXPECT_EQ(parts[4].state, answer.parts[4].state);

  // A signature is worth nothing for a text that is not what it was.
  json::value changed = message;
  changed.as_object()["reasoning_content"] = "changed";
  const std::vector<Part> others = read(changed);
  EXPECT_EQ(others[0].text, "changed");
  EXPECT_THAT(others[0].state, ElementsAre(OpaqueState{StateKind::kChatReasoningDetails, R"([{"type":"x"}])"}));
}

TEST(ChatCodecAnswer, GivesPicturesAsImages) {
  ModelAnswer answer;
  answer.parts = {Of(PartKind::kMedia, "")};
  answer.parts[0].media = {Media::Source::kBase64, "image/png", "aGk=", "", ""};
  EXPECT_EQ(Written(answer).at("choices").at(0).at("message").at("images"),
            json::parse(R"([{"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}}])"));
}

// ---- Errors.

TEST(ChatCodecError, ReadsEveryShape) {
  const auto read = [](int status, std::string_view body) {
    const AnswerError error = Codec().ReadError(status, body);
    return std::to_string(error.status) + " " + std::to_string(static_cast<int>(error.kind)) + " " + error.message;
  };
  const auto as = [](int status, ErrorKind kind, std::string_view message) {
    return std::to_string(status) + " " + std::to_string(static_cast<int>(kind)) + " " + std::string(message);
  };
  EXPECT_EQ(read(429, R"({"error":{"message":"Slow","type":"requests","code":"x"}})"),
            as(429, ErrorKind::kRateLimited, "Slow"));
  EXPECT_EQ(read(429, R"({"error":{"message":"Pay","code":"insufficient_quota"}})"), as(429, ErrorKind::kQuota, "Pay"));
  EXPECT_EQ(read(400, R"({"error":{"message":"P","metadata":{"raw":"long"}}})"),
            as(400, ErrorKind::kInvalid, "P: long"));
  EXPECT_EQ(read(400, R"({"error":{"message":"L","code":"context_length_exceeded"}})"),
            as(400, ErrorKind::kContext, "L"));
  EXPECT_EQ(read(404, R"([{"error":{"code":404,"message":"none"}}])"), as(404, ErrorKind::kNotFound, "none"));
  EXPECT_EQ(read(500, R"({"error":"out of memory"})"), as(500, ErrorKind::kUpstream, "out of memory"));
  EXPECT_EQ(read(422, R"({"detail":"bad field"})"), as(422, ErrorKind::kInvalid, "bad field"));
  EXPECT_EQ(read(401, R"({"message":"who"})"), as(401, ErrorKind::kAuth, "who"));
  EXPECT_EQ(read(402, ""), as(402, ErrorKind::kQuota, "the upstream answered with status 402"));
  EXPECT_EQ(read(502, "Bad Gateway"), as(502, ErrorKind::kUpstream, "Bad Gateway"));
  EXPECT_EQ(read(500, R"({"error":{"type":"engine_overloaded_error","message":"busy"}})"),
            as(529, ErrorKind::kOverloaded, "busy"));
  EXPECT_EQ(read(504, "{}"), as(504, ErrorKind::kTimeout, "{}"));
  EXPECT_EQ(read(413, "x"), as(413, ErrorKind::kTooLarge, "x"));
  EXPECT_EQ(read(403, "x"), as(403, ErrorKind::kPermission, "x"));
}

TEST(ChatCodecError, WritesOpenAisShape) {
  const auto write = [](ErrorKind kind, int status, std::string type, std::string message) {
    AnswerError error;
    error.kind = kind;
    error.status = status;
    error.type = std::move(type);
    error.message = std::move(message);
    return Codec().WriteError(error);
  };
  EXPECT_EQ(write(ErrorKind::kRateLimited, 429, "rate_limit_error", "Slow \"down\"."),
            R"({"error":{"message":"Slow \"down\".","type":"rate_limit_error","param":null,)"
            R"("code":"rate_limit_exceeded"}})");
  EXPECT_EQ(
      write(ErrorKind::kOverloaded, 529, "overloaded_error", "Overloaded"),
      R"({"error":{"message":"Overloaded","type":"overloaded_error","param":null,"code":"service_unavailable"}})");
  EXPECT_EQ(write(ErrorKind::kContext, 400, "api_error", "long"),
            R"({"error":{"message":"long","type":"invalid_request_error","param":null,)"
            R"("code":"context_length_exceeded"}})");
  EXPECT_EQ(write(ErrorKind::kAuth, 401, "UNAUTHENTICATED", "who"),
            R"({"error":{"message":"who","type":"invalid_request_error","param":null,"code":"invalid_api_key"}})");
  EXPECT_EQ(write(ErrorKind::kUpstream, 503, "", ""),
            R"({"error":{"message":"the upstream answered with HTTP status 503","type":"server_error","param":null,)"
            R"("code":null}})");
}

}  // namespace
}  // namespace ccr::proxy::chat
