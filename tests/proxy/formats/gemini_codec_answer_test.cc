// Gemini's answers as they are read, answers as Gemini's clients get them, and errors both ways.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "proxy/formats/gemini/codec.h"
#include "tests/proxy/formats/gemini_conversations.h"

namespace ccr::proxy::gemini {
namespace {

using ::testing::HasSubstr;

ModelAnswer ReadGeminiAnswer(std::string_view body, Notes* notes = nullptr) {
  Notes none;
  auto answer = gemini::Codec().ReadAnswer(body, notes == nullptr ? &none : notes);
  EXPECT_TRUE(answer.ok()) << answer.status();
  return answer.ok() ? std::move(*answer) : ModelAnswer();
}

std::string WithParts(std::string_view parts, std::string_view reason = "STOP") {
  return R"({"candidates":[{"content":{"parts":[)" + std::string(parts) + R"(]},"finishReason":")" +
         std::string(reason) + R"("}]})";
}

// ---- reading

TEST(GeminiCodecReadsAnswer, TextThoughtsCallsUsage) {
  const std::string body = R"({"candidates":[{"index":1,"content":{"parts":[{"text":"no"}]}},{"content":{"parts":[
      {"text":"Let ","thought":true},{"text":"me see.","thought":true},{"text":"AI learns "},{"text":"patterns."},
      {"functionCall":{"name":"weather","args":{"city":"Paris"}},"thoughtSignature":"a+/b=="},
      {"functionCall":{"id":"fc-2","name":"weather"}},{"functionCall":{"id":"fc-2","name":"weather"}},
      {"functionCall":{"id":"a b","name":"weather"}}],"role":"model"},"finishReason":"STOP","index":0}],
      "usageMetadata":{"promptTokenCount":8,"toolUsePromptTokenCount":1,"candidatesTokenCount":20,
      "thoughtsTokenCount":7,"totalTokenCount":36,"cachedContentTokenCount":5},"modelVersion":"gemini-2.5-flash",
      "responseId":"r-1"})";
  const ModelAnswer answer = ReadGeminiAnswer(body);
  ASSERT_EQ(answer.parts.size(), 6U);
  EXPECT_TRUE(answer.parts[2].id.starts_with("call_")) << answer.parts[2].id;
  EXPECT_TRUE(answer.parts[4].id.starts_with("call_")) << "an id that was given before";
  EXPECT_TRUE(answer.parts[5].id.starts_with("call_")) << "no id of OpenAI's";
  EXPECT_NE(answer.parts[2].id, answer.parts[4].id);
  EXPECT_EQ(ShowAnswer(answer),
            "r-1 gemini-2.5-flash\nthinking(Let me see.)\ntext(AI learns patterns.)\ncall(" + answer.parts[2].id +
                " weather: {\"city\":\"Paris\"})[2 a+/b==]\ncall(gid_fc-2 weather: {})\ncall(" + answer.parts[4].id +
                " weather: {})\ncall(" + answer.parts[5].id + " weather: {})\nstop 4 \nusage 9 5 0 27 7");
  EXPECT_EQ(ShowAnswer(ReadGeminiAnswer(body)), ShowAnswer(answer)) << "the same answer, the same ids";
}

TEST(GeminiCodecReadsAnswer, Parts) {
  const struct {
    std::string_view parts, shown;
  } rows[] = {
      {R"({"text":"a"},{"text":"b","thoughtSignature":"dDE="},{"text":"c"})", "text(ab)[2 dDE=]\ntext(c)"},
      {R"({"text":"a"},{"text":"","thoughtSignature":"dDE="})", "text(a)[2 dDE=]"},
      {R"({"text":"t","thought":true},{"text":"","thoughtSignature":"dDE="})", "thinking(t)[2 dDE=]"},
      {R"({"text":"","thoughtSignature":"dDE="},{"text":"a"})", "thinking()[2 dDE=]\ntext(a)"},
      {R"({"inlineData":{"mimeType":"image/png","data":"aGk="},"thoughtSignature":"dDE="})",
       "media(base64 image/png aGk= )[2 dDE=]"},
      {R"({"text":"a"},{"executableCode":{"code":"1"}},{"text":"b"})", R"(text(a))"
                                                                       "\n"
                                                                       R"(other( own {"executableCode":{"code":"1"}}))"
                                                                       "\ntext(b)"},
      {R"(7,{"text":""},{"functionCall":{"name":"f","args":[1]}})", "call(gid_ f: {})"},
  };
  for (const auto& row : rows) {
    ModelAnswer answer = ReadGeminiAnswer(WithParts(row.parts));
    for (Part& part : answer.parts)
      if (part.kind == PartKind::kToolCall) part.id = "gid_";
    EXPECT_EQ(ShowParts(answer.parts), row.shown);
  }
}

TEST(GeminiCodecReadsAnswer, PartsWithoutAPlaceAreNoted) {
  Notes notes;
  ReadGeminiAnswer(R"({"candidates":[{"content":{"parts":[{"inlineData":{}},{"text":""}]},"groundingMetadata":{},)"
                   R"("finishReason":"STOP"}]})",
                   &notes);
  EXPECT_EQ(notes, (Notes{"parts: one that is neither text nor call was dropped", "groundingMetadata: dropped"}));
}

TEST(GeminiCodecReadsAnswer, HowItEnded) {
  const struct {
    std::string reason;
    StopCause cause, with_call;
  } rows[] = {
      {"STOP", StopCause::kEnd, StopCause::kToolUse},
      {"MAX_TOKENS", StopCause::kMaxTokens, StopCause::kMaxTokens},
      {"SAFETY", StopCause::kRefusal, StopCause::kRefusal},
      {"RECITATION", StopCause::kRefusal, StopCause::kRefusal},
      {"SPII", StopCause::kRefusal, StopCause::kRefusal},
      {"MALFORMED_FUNCTION_CALL", StopCause::kEnd, StopCause::kToolUse},
      {"OTHER", StopCause::kEnd, StopCause::kToolUse},
      {"SOMETHING_NEW", StopCause::kEnd, StopCause::kToolUse},
  };
  for (const auto& row : rows) {
    const ModelAnswer text = ReadGeminiAnswer(WithParts(R"({"text":"x"})", row.reason));
    EXPECT_EQ(text.stop.cause, row.cause) << row.reason;
    EXPECT_EQ(text.stop.explanation, "") << row.reason;
    EXPECT_EQ(ReadGeminiAnswer(WithParts(R"({"functionCall":{"name":"f"}})", row.reason)).stop.cause, row.with_call);
  }
}

TEST(GeminiCodecReadsAnswer, WithoutContentItSaysWhy) {
  const struct {
    std::string_view body;
    StopCause cause;
    std::string_view explanation;
  } rows[] = {
      {R"({"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"Malformed function call: f("}]})",
       StopCause::kEnd, "Malformed function call: f("},
      {R"({"candidates":[{"content":{},"finishReason":"SAFETY"}]})", StopCause::kRefusal,
       "Gemini ended its answer: SAFETY"},
      {R"({"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}})", StopCause::kRefusal,
       "Gemini blocked the prompt: PROHIBITED_CONTENT"},
      {R"({"promptFeedback":{"blockReason":"SAFETY","blockReasonMessage":"No."}})", StopCause::kRefusal, "No."},
      {R"({"candidates":[{"finishReason":"STOP"}]})", StopCause::kEnd, ""},
      {R"({"candidates":[{"finishReason":"MAX_TOKENS"}]})", StopCause::kMaxTokens, ""},
  };
  for (const auto& row : rows) {
    const ModelAnswer answer = ReadGeminiAnswer(row.body);
    EXPECT_EQ(answer.stop.cause, row.cause) << row.body;
    EXPECT_EQ(answer.stop.explanation, row.explanation);
  }
}

TEST(GeminiCodecReadsAnswer, AListIsOneAnswerInPieces) {
  EXPECT_EQ(
      ShowParts(
          ReadGeminiAnswer("[" + WithParts(R"({"text":"a"})", "") + ",\n" + WithParts(R"({"text":"b"})") + "]").parts),
      "text(ab)");
}

TEST(GeminiCodecReadsAnswer, WhatIsNoAnswer) {
  for (const std::string_view body :
       {"", "[]", "{}", "[7]", "7", R"({"candidates":[]})", R"({"error":{"code":500,"message":"m"}})"}) {
    Notes notes;
    EXPECT_EQ(gemini::Codec().ReadAnswer(body, &notes).status().code(), absl::StatusCode::kInternal) << body;
  }
}

// ---- streams that are read

const std::string kStreamEvents[] = {
    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"hm\",\"thought\": true}],\"role\": \"model\"},"
    "\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 9,\"totalTokenCount\": 9},\"modelVersion\": "
    "\"gemini-2.5-flash\",\"responseId\": \"r1\"}\r\n\r\n",
    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"h\xC3\xA9\"}],\"role\": \"model\"}}]}\r\n\r\n",
    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"llo\"}],\"role\": \"model\"}}]}\r\n\r\n",
    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"functionCall\": {\"name\": \"f\",\"id\": \"1\",\"args\": "
    "{\"a\": 1}},\"thoughtSignature\": \"c2ln\"},{\"functionCall\": {\"name\": \"g\",\"id\": \"2\"}}]}}]}\r\n\r\n",
    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"\"}]},\"finishReason\": \"STOP\"}],"
    "\"usageMetadata\": {\"promptTokenCount\": 9,\"candidatesTokenCount\": 3,\"thoughtsTokenCount\": 2,"
    "\"cachedContentTokenCount\": 4}}\r\n\r\n"};

std::string AllOfTheStream() {
  std::string all;
  for (const std::string& event : kStreamEvents) all += event;
  return all;
}

void FeedGemini(std::string_view stream, bool cut, size_t piece, AnswerCollector* collector) {
  const auto reader = gemini::Codec().ReadStream();
  for (size_t at = 0; at < stream.size(); at += piece) reader->Feed(stream.substr(at, piece), collector);
  reader->Finish(cut, collector);
}

TEST(GeminiCodecReadsStream, WholeAndByteByByte) {
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{100'000}}) {
    AnswerCollector collector;
    FeedGemini(AllOfTheStream(), false, piece, &collector);
    ASSERT_TRUE(collector.ended());
    EXPECT_EQ(ShowAnswer(collector.Take()),
              "r1 gemini-2.5-flash\nthinking(hm)\ntext(h\xC3\xA9llo)\ncall(gid_1 f: {\"a\":1})[2 c2ln]\n"
              "call(gid_2 g: {})\nstop 4 \nusage 9 4 0 5 2");
  }
}

TEST(GeminiCodecReadsStream, EachDeltaComesAtOnce) {
  AnswerCollector collector;
  const auto reader = gemini::Codec().ReadStream();
  reader->Feed(kStreamEvents[1], &collector);
  EXPECT_EQ(ShowParts(collector.Take().parts), "text(h\xC3\xA9)");
}

TEST(GeminiCodecReadsStream, AFinishReasonMakesAProperEndEvenWhenCut) {
  AnswerCollector collector;
  FeedGemini(AllOfTheStream(), true, 50, &collector);
  EXPECT_TRUE(collector.ended());
  EXPECT_FALSE(collector.failed());
}

TEST(GeminiCodecReadsStream, WithoutAFinishReasonTheEndIsAnError) {
  for (const bool cut : {false, true}) {
    AnswerCollector collector;
    FeedGemini(kStreamEvents[0] + kStreamEvents[1], cut, 50, &collector);
    EXPECT_FALSE(collector.ended());
    ASSERT_TRUE(collector.failed());
    EXPECT_EQ(collector.error().status, 502);
    EXPECT_EQ(collector.error().message, "the upstream's stream ended before the answer was complete");
  }
}

TEST(GeminiCodecReadsStream, ABlockedPromptIsARefusal) {
  AnswerCollector collector;
  FeedGemini("data: {\"promptFeedback\": {\"blockReason\": \"SAFETY\"}}\r\n\r\n", false, 9, &collector);
  ASSERT_TRUE(collector.ended());
  const Stop stop = collector.Take().stop;
  EXPECT_EQ(stop.cause, StopCause::kRefusal);
  EXPECT_EQ(stop.explanation, "Gemini blocked the prompt: SAFETY");
}

TEST(GeminiCodecReadsStream, AnErrorEndsItInTheProvidersWords) {
  const std::string error =
      R"({"error": {"code": 429,"message": "Resource exhausted","status": "RESOURCE_EXHAUSTED"}})";
  for (const std::string& event : {error, "[" + error + "]"}) {
    AnswerCollector collector;
    FeedGemini(kStreamEvents[1] + "data: " + event + "\n\n" + kStreamEvents[4], false, 20, &collector);
    ASSERT_TRUE(collector.failed());
    EXPECT_EQ(collector.error().status, 429);
    EXPECT_EQ(collector.error().kind, ErrorKind::kRateLimited);
    EXPECT_EQ(collector.error().message, "Resource exhausted");
  }
}

TEST(GeminiCodecReadsStream, WhatIsNoResponseIsAnError) {
  for (const std::string_view data : {"data: x\n\n", "data: []\n\n", "data: 7\n\n", "data: {\"error\":{}}\n\n"}) {
    AnswerCollector collector;
    FeedGemini(data, false, 3, &collector);
    EXPECT_TRUE(collector.failed()) << data;
  }
  std::string many = "data: {\"candidates\":[{\"content\":{\"parts\":[{}";
  for (size_t i = 0; i <= StreamReader::kMaxToolCalls; ++i) many += ",{\"functionCall\":{\"name\":\"f\"}}";
  AnswerCollector collector;
  FeedGemini(many + "]},\"finishReason\":\"STOP\"}]}\n\n", false, 10'000, &collector);
  ASSERT_TRUE(collector.failed());
  EXPECT_EQ(collector.error().message, "the upstream sent too many tool calls");
}

// ---- writing

ModelAnswer SomeAnswer() {
  ModelAnswer answer;
  answer.id = "r1";
  answer.model = "up";
  Part thinking;
  thinking.kind = PartKind::kThinking;
  thinking.text = "hm";
  thinking.state = {{StateKind::kAnthropicSignature, "sig"}};
  Part text;
  text.text = "a\"b";
  Part call;
  call.kind = PartKind::kToolCall;
  call.id = "gid_fc1";
  call.name = "f";
  call.text = R"({"a": 1})";
  call.state = {{StateKind::kGeminiSignature, "c2ln"}};
  Part custom;
  custom.kind = PartKind::kToolCall;
  custom.id = "toolu_1";
  custom.name = "g";
  custom.text = "no json";
  custom.custom = true;
  for (Part* part : {&thinking, &text, &call, &custom}) answer.parts.push_back(std::move(*part));
  answer.usage = {10, 4, 1, 7, 3};
  answer.stop.cause = StopCause::kToolUse;
  return answer;
}

constexpr std::string_view kUsageText =
    R"("usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":4,"thoughtsTokenCount":3,)"
    R"("cachedContentTokenCount":4,"totalTokenCount":17})";

TEST(GeminiCodecWritesAnswer, Whole) {
  EXPECT_EQ(gemini::Codec().WriteAnswer(SomeAnswer(), {.model = "shown"}),
            R"({"candidates":[{"content":{"parts":[{"text":"hm","thought":true,"thoughtSignature":)"
            R"("Y2NyMV9XeUpoY3lJc0luTnBaeUpk"},{"text":"a\"b"},)"
            R"({"functionCall":{"id":"fc1","name":"f","args":{"a":1}},"thoughtSignature":"c2ln"},)"
            R"({"functionCall":{"id":"toolu_1","name":"g","args":{"input":"no json"}}}],"role":"model"},)"
            R"("finishReason":"STOP","index":0}],)" +
                std::string(kUsageText) + R"(,"modelVersion":"shown","responseId":"r1"})");
}

TEST(GeminiCodecWritesAnswer, AStreamOfIt) {
  const std::string tail = R"(,"modelVersion":"up","responseId":"r1"})";
  const std::vector<std::string> events = {
      R"({"text":"hm","thought":true}],"role":"model"},"index":0}])",
      R"({"text":"","thought":true,"thoughtSignature":"Y2NyMV9XeUpoY3lJc0luTnBaeUpk"}],"role":"model"},"index":0}])",
      R"({"text":"a\"b"}],"role":"model"},"index":0}])",
      R"({"functionCall":{"id":"fc1","name":"f","args":{"a":1}},"thoughtSignature":"c2ln"}],"role":"model"},"index":0}])",
      R"({"functionCall":{"id":"toolu_1","name":"g","args":{"input":"no json"}}}],"role":"model"},"index":0}])",
      R"({"text":""}],"role":"model"},"finishReason":"STOP","index":0}],)" + std::string(kUsageText)};
  for (const bool json_array : {false, true}) {
    AnswerContext context;
    context.json_array = json_array;
    const auto writer = gemini::Codec().WriteStream(context);
    std::string out;
    writer->WriteTo(&out);
    Replay(SomeAnswer(), writer.get());
    writer->Delta(1, "late");
    writer->End({});
    writer->Fail({});
    std::string expected;
    for (const std::string& event : events) {
      const std::string whole = R"({"candidates":[{"content":{"parts":[)" + event + tail;
      expected += json_array ? (expected.empty() ? "[" : ",\n") + whole : "data: " + whole + "\n\n";
    }
    EXPECT_EQ(out, expected + (json_array ? "]" : ""));
  }
}

TEST(GeminiCodecWritesAnswer, ACallIsHeldUntilItIsWhole) {
  const auto writer = gemini::Codec().WriteStream({});
  std::string out;
  writer->WriteTo(&out);
  writer->Start("", "");
  writer->StartPart(0, {PartKind::kToolCall, "a", "f", false});
  writer->StartPart(1, {PartKind::kText, "", "", false});
  writer->Delta(0, "{\"a\":");
  writer->Delta(1, "x");
  EXPECT_EQ(out.find("functionCall"), out.npos);
  EXPECT_THAT(out, HasSubstr(R"({"text":"x"})"));
  writer->Delta(0, "1}");
  writer->Delta(7, "no part");
  writer->StartPart(0, {PartKind::kText, "", "", false});
  writer->End({});
  EXPECT_THAT(out, HasSubstr(R"({"functionCall":{"id":"a","name":"f","args":{"a":1}}})"));
  EXPECT_LT(out.find("functionCall"), out.find("finishReason"));
  EXPECT_EQ(out.find("no part"), out.npos);
}

TEST(GeminiCodecWritesAnswer, TooLargeCallsAreAnError) {
  const auto writer = gemini::Codec().WriteStream({});
  std::string out;
  writer->WriteTo(&out);
  const std::string piece(1 << 20, 'x');
  writer->StartPart(0, {PartKind::kToolCall, "a", "f", false});
  for (size_t held = 0; held <= StreamReader::kMaxHeldBytes; held += piece.size()) writer->Delta(0, piece);
  writer->End({});
  EXPECT_EQ(out,
            "data: {\"error\":{\"code\":502,\"message\":\"the upstream's calls are too large to be put "
            "together\",\"status\":\"UNAVAILABLE\"}}\n\n");
}

TEST(GeminiCodecWritesAnswer, ArgumentsBeyondTheBudgetAreATextStill) {
  ModelAnswer answer;
  for (int i = 0; i < 2; ++i) {
    Part& call = answer.parts.emplace_back();
    call.kind = PartKind::kToolCall;
    call.name = "f";
    call.text = R"({"a":[1)";
    for (size_t n = 0; n < kMaxJsonValues * 2 / 3; ++n) call.text += ",1";
    call.text += "]}";
  }
  const std::string body = gemini::Codec().WriteAnswer(answer, {});
  EXPECT_THAT(body.substr(0, 100), HasSubstr(R"("args":{"a":[1,1)"));
  EXPECT_NE(body.find(R"("args":{"raw_arguments":"{\"a\":[1,1)"), body.npos);
}

TEST(GeminiCodecWritesAnswer, HowItEnds) {
  const struct {
    Stop stop;
    std::string_view written;
  } rows[] = {
      {{StopCause::kUnknown, "", ""}, R"("finishReason":"STOP",)"},
      {{StopCause::kEnd, "", ""}, R"("finishReason":"STOP",)"},
      {{StopCause::kStopSequence, "x", ""}, R"("finishReason":"STOP",)"},
      {{StopCause::kPause, "", ""}, R"("finishReason":"STOP",)"},
      {{StopCause::kMaxTokens, "", ""}, R"("finishReason":"MAX_TOKENS",)"},
      {{StopCause::kContext, "", ""}, R"("finishReason":"MAX_TOKENS",)"},
      {{StopCause::kRefusal, "", "no"}, R"("finishReason":"SAFETY","finishMessage":"no",)"},
      {{StopCause::kEnd, "", "odd"}, R"("finishReason":"OTHER","finishMessage":"odd",)"},
  };
  for (const auto& row : rows) {
    ModelAnswer answer;
    answer.stop = row.stop;
    EXPECT_THAT(gemini::Codec().WriteAnswer(answer, {}), HasSubstr(std::string(row.written)));
  }
}

TEST(GeminiCodecWritesAnswer, PartsOfOtherFormats) {
  ModelAnswer answer;
  Part refusal;
  refusal.kind = PartKind::kRefusal;
  refusal.text = "no";
  Part other;
  other.kind = PartKind::kOther;
  other.own = {{"type", "server_tool_use"}};
  Part file;
  file.kind = PartKind::kMedia;
  file.media.source = Media::Source::kFileId;
  for (Part* part : {&other, &refusal, &file}) answer.parts.push_back(std::move(*part));
  EXPECT_THAT(gemini::Codec().WriteAnswer(answer, {}), HasSubstr(R"("parts":[{"text":"no"}],)"));
}

// ---- errors

TEST(GeminiCodecErrors, Read) {
  const struct {
    int status;
    std::string_view body;
    int read;
    ErrorKind kind;
    std::string_view type, code, message;
  } rows[] = {
      {429, R"({"error":{"code":429,"message":"Quota.","status":"RESOURCE_EXHAUSTED"}})", 429, ErrorKind::kRateLimited,
       "RESOURCE_EXHAUSTED", "", "Quota."},
      {200, R"([{"error":{"code":503,"message":"Busy.","status":"UNAVAILABLE"}}])", 503, ErrorKind::kOverloaded,
       "UNAVAILABLE", "", "Busy."},
      {400,
       R"({"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"a":1},{"reason":"API_KEY_INVALID"}]}})",
       400, ErrorKind::kAuth, "INVALID_ARGUMENT", "API_KEY_INVALID", "API key not valid."},
      {403, "<html>", 403, ErrorKind::kPermission, "", "", "<html>"},
      {500, "", 500, ErrorKind::kUpstream, "", "", "the upstream answered with status 500"},
      {504, "{}", 504, ErrorKind::kTimeout, "", "", "{}"},
      {400, R"({"error":{"code":400,"message":"Bad schema.","status":"INVALID_ARGUMENT"}})", 400, ErrorKind::kInvalid,
       "INVALID_ARGUMENT", "", "Bad schema."},
  };
  for (const auto& row : rows) {
    const AnswerError error = gemini::Codec().ReadError(row.status, row.body);
    EXPECT_EQ(error.status, row.read) << row.body;
    EXPECT_EQ(error.kind, row.kind) << row.body;
    EXPECT_EQ(error.type, row.type);
    EXPECT_EQ(error.code, row.code);
    EXPECT_EQ(error.message, row.message);
  }
}

TEST(GeminiCodecErrors, AFullContext) {
  const struct {
    std::string_view message;
    uint64_t prompt, limit;
  } rows[] = {
      {"The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).", 1196265, 1048575},
      {"The input token count exceeds the maximum number of tokens allowed 1048576.", 0, 1048576},
      {"Unable to submit request because the input token count is 40000 but model only supports up to 32768.", 40000,
       32768},
  };
  for (const auto& row : rows) {
    const AnswerError error = gemini::Codec().ReadError(
        400, R"({"error":{"code":400,"status":"INVALID_ARGUMENT","message":")" + std::string(row.message) + "\"}}");
    EXPECT_EQ(error.kind, ErrorKind::kContext) << row.message;
    EXPECT_EQ(error.prompt_tokens, row.prompt);
    EXPECT_EQ(error.limit, row.limit);
  }
}

TEST(GeminiCodecErrors, Written) {
  const auto written = [](int status, ErrorKind kind, uint64_t prompt, uint64_t limit) {
    AnswerError error;
    error.status = status;
    error.kind = kind;
    error.message = "m";
    error.prompt_tokens = prompt;
    error.limit = limit;
    return gemini::Codec().WriteError(error);
  };
  EXPECT_EQ(written(429, ErrorKind::kRateLimited, 0, 0),
            R"({"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}})");
  EXPECT_EQ(written(422, ErrorKind::kInvalid, 0, 0),
            R"({"error":{"code":422,"message":"m","status":"INVALID_ARGUMENT"}})");
  EXPECT_EQ(written(529, ErrorKind::kOverloaded, 0, 0),
            R"({"error":{"code":529,"message":"m","status":"UNAVAILABLE"}})");
  EXPECT_EQ(
      written(413, ErrorKind::kContext, 12, 10),
      R"({"error":{"code":400,"message":"The input token count (12) exceeds the maximum number of tokens allowed )"
      R"((10).","status":"INVALID_ARGUMENT"}})");
  EXPECT_EQ(written(400, ErrorKind::kContext, 0, 10),
            R"({"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}})");
}

TEST(GeminiCodecErrors, InAStream) {
  for (const bool json_array : {false, true}) {
    AnswerContext context;
    context.json_array = json_array;
    const auto writer = gemini::Codec().WriteStream(context);
    std::string out;
    writer->WriteTo(&out);
    AnswerError error;
    error.status = 503;
    error.message = "m";
    writer->Fail(error);
    writer->End({});
    const std::string body = R"({"error":{"code":503,"message":"m","status":"UNAVAILABLE"}})";
    EXPECT_EQ(out, json_array ? "[" + body + "]" : "data: " + body + "\n\n");
  }
}

}  // namespace
}  // namespace ccr::proxy::gemini
